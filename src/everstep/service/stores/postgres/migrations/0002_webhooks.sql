-- What webhooks are owed. due_at: from when it can be claimed; whoever claims it puts that off.
CREATE TABLE webhook_events (
    webhook text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    due_at bigint NOT NULL,
    attempts bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (webhook, id)
);

CREATE INDEX webhook_events_due ON webhook_events (webhook, due_at);
