-- Text that is compared or sorted goes by code points, as in the other stores. Times are milliseconds since the epoch.

CREATE SEQUENCE execution_numbers AS bigint;

-- number: grows with each execution that is created. owed_at: from when an invocation is owed. owner: the instance that
-- is at work for it, see instances. fillfactor: a checkpoint finds room for the row's next version on the same page, and
-- no index has to be changed.
CREATE TABLE executions (
    number bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    function text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    due_at bigint,
    owed_at bigint,
    needs_recovery boolean NOT NULL,
    revision bigint NOT NULL,
    owner text COLLATE "C",
    body bytea NOT NULL,
    UNIQUE (function, name)
) WITH (fillfactor = 60);

CREATE INDEX executions_by_start ON executions (started_at, id);
CREATE INDEX executions_of_function ON executions (function, started_at, id);
CREATE INDEX executions_to_claim ON executions (due_at, number) WHERE owner IS NULL AND due_at IS NOT NULL;
CREATE INDEX executions_owned ON executions (owner, number) WHERE owner IS NOT NULL;

CREATE TABLE payloads (
    execution bigint NOT NULL,
    is_result boolean NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (execution, is_result)
);

CREATE TABLE operations (
    execution bigint NOT NULL,
    ord bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (execution, ord)
) WITH (fillfactor = 90);

-- The events of one write stand together: a row costs more than an event.
CREATE TABLE events (
    execution bigint NOT NULL,
    last_id bigint NOT NULL,
    first_id bigint NOT NULL,
    count bigint NOT NULL,
    bodies bytea NOT NULL,
    PRIMARY KEY (execution, last_id)
);

-- The services that are at work on this database. An owner without a lease that runs is gone.
CREATE TABLE instances (
    id text COLLATE "C" PRIMARY KEY,
    lease_until timestamptz NOT NULL
);
