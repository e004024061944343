"""What the SDK and the service agree on: shapes, identifiers, limits. Pure: no clock, no socket, no event loop."""
