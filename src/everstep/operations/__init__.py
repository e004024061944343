"""One file per operation: its options, checked when it is called, and what to do about what is recorded of it. Pure."""
