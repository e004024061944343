"""The operations, one module per family: each a function of backend and call, found by the operation's name."""
