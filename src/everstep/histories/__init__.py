"""Recorded executions outside their service: read from files, verified against code, counted against quotas."""
