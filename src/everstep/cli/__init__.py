"""The `everstep` command: one module per family of commands."""
