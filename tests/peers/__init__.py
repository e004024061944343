"""Other implementations against our server: the official SDK's handlers, unmodified, and AWS's command line. `make peers` runs them."""
