"""Who is told when executions begin and end: the webhooks file, and requests that are signed."""
