CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    due_at INTEGER,
    needs_recovery INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (function, name)
);
CREATE INDEX executions_by_start ON executions (started_at);
CREATE INDEX executions_of_function ON executions (function, started_at);
CREATE INDEX executions_due ON executions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX executions_to_recover ON executions (number) WHERE needs_recovery;
CREATE TABLE payloads (
    execution INTEGER PRIMARY KEY,
    input TEXT,
    result TEXT
);
CREATE TABLE operations (
    execution INTEGER NOT NULL,
    ord INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (execution, ord)
) WITHOUT ROWID;
CREATE TABLE events (
    execution INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (execution, event_id)
) WITHOUT ROWID;
