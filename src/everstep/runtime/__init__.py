"""The SDK's edge: the durable loop, the engine that drives it, the checkpointer, parking."""
