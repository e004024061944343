"""The `everstep` command: one module per command."""
