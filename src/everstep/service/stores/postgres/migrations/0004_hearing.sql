-- Whether an instance waits for the end of an execution of others. One of the version before says nothing of it, and waits.
ALTER TABLE instances ADD COLUMN hears_ends boolean NOT NULL DEFAULT TRUE;
