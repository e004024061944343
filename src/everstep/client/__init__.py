"""The service as the SDK uses it: two calls, and the transports that carry them."""
