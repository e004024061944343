"""Where executions are kept: behind one protocol, in memory or in a database."""
