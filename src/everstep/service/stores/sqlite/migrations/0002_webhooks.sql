CREATE TABLE webhook_events (
    webhook TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (webhook, id)
) WITHOUT ROWID;
CREATE INDEX webhook_events_due ON webhook_events (webhook, due_at);
