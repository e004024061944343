"""Handlers, by suite. None of them stays in memory between invocations, so that every resume is a replay."""
