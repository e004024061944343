"""The statements that write a group: one text for each shape that a group may have, so that the server plans each once.

Rule: rows are locked in one order, everywhere: a transaction inserts new executions by function and name, then changes
others by id. So two instances never wait for each other in a circle: an insert may have to wait for whoever inserts,
changes or deletes what has its name, but nobody who is changing executions ever waits for an insert.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from everstep.service.stores.postgres.chains import NEVER
from everstep.service.stores.postgres.prepared import Template


class Shape(NamedTuple):
    """What makes one statement's text different from another's.

    is_alone: for one execution, with a parameter for each value; otherwise each column is one parameter, an array.
    records, payloads: how many it has; of arrays, whether there are any. has_notices: of webhooks, always arrays.
    """

    is_new: bool
    is_alone: bool
    records: int
    payloads: int
    has_notices: bool = False


Columns: TypeAlias = tuple[tuple[str, str], ...]

# The columns of what is passed in: name and type.
CHANGING: Final[Columns] = (
    ("id", "text"),
    ("revision", "bigint"),
    ("status", "text"),
    ("due_at", "bigint"),
    ("owed_at", "bigint"),
    ("needs_recovery", "boolean"),
    ("needs_owner", "boolean"),
    ("body", "bytea"),
    ("last_id", "bigint"),
    ("first_id", "bigint"),
    ("count", "bigint"),
    ("bodies", "bytea"),
)
UPDATED: Final[Columns] = (*CHANGING, ("expected", "bigint"), ("is_claim", "boolean"))
CREATED: Final[Columns] = (
    *CHANGING,
    ("function", "text"),
    ("name", "text"),
    ("version", "text"),
    ("started_at", "bigint"),
)
# Which elements of the arrays of records and payloads are an execution's. Joining them by id would take the square of their number.
RANGES: Final[Columns] = tuple((f"{part}_{end}", "bigint") for part in ("records", "payloads") for end in ("from", "to"))
RECORDS: Final[Columns] = (("ord", "bigint"), ("body", "bytea"))
PAYLOADS: Final[Columns] = (("is_result", "boolean"), ("body", "bytea"))

# Locked by id, in the version that other transactions left; a row that has moved on is passed over.
FIND: Final = """
WITH new AS MATERIALIZED (SELECT * FROM {new}),
found AS MATERIALIZED (
    SELECT e.number, e.owner AS owner_before, e.status AS status_before, new.*
    FROM new JOIN executions e ON e.id = new.id AND e.revision = new.expected
    ORDER BY e.id FOR UPDATE OF e
)"""
# Alone, what is written are the statement's own parameters: that spares the server 50 µs of 140. INSERT_ONE does so, too.
FIND_ONE: Final = """
WITH found AS MATERIALIZED (
    SELECT number, id, owner AS owner_before, status AS status_before FROM executions
    WHERE id = {id} AND revision = {expected} FOR UPDATE
)"""
# An owner stays while there is work, except that whoever begins an invocation is its owner.
UPDATE: Final = """,
written AS (
    UPDATE executions e SET
        revision = {revision}, status = {status}, body = {body},
        due_at = NULLIF({due_at}, {never}), owed_at = NULLIF({owed_at}, {never}), needs_recovery = {needs_recovery},
        owner = CASE WHEN {needs_owner} THEN CASE WHEN {is_claim} THEN %(me)b::text ELSE COALESCE(e.owner, %(me)b::text) END END
    FROM found WHERE e.number = found.number
    RETURNING e.id, e.owner, found.owner_before, found.status_before, e.status
)"""
INSERT: Final = """
WITH new AS MATERIALIZED (SELECT nextval('execution_numbers') AS number, n.* FROM {new}),
written AS (
    INSERT INTO executions (
        number, id, function, name, version, status, started_at, due_at, owed_at, needs_recovery, revision, owner, body
    )
    SELECT number, id, function, name, version, status, started_at, NULLIF(due_at, {never}), NULLIF(owed_at, {never}),
        needs_recovery, revision, CASE WHEN needs_owner THEN %(me)b::text END, body
    FROM new ORDER BY function, name, number
    ON CONFLICT DO NOTHING
    RETURNING number, id, owner, NULL AS owner_before, 'RUNNING' AS status_before, status
),
found AS MATERIALIZED (SELECT new.* FROM new JOIN written ON written.number = new.number)"""
INSERT_ONE: Final = """
WITH written AS (
    INSERT INTO executions (
        number, id, function, name, version, status, started_at, due_at, owed_at, needs_recovery, revision, owner, body
    )
    VALUES (
        nextval('execution_numbers'), {id}, {function}, {name}, {version}, {status}, {started_at}, NULLIF({due_at}, {never}),
        NULLIF({owed_at}, {never}), {needs_recovery}, {revision}, CASE WHEN {needs_owner} THEN %(me)b::text END, {body}
    )
    ON CONFLICT DO NOTHING
    RETURNING number, id, owner, NULL AS owner_before, 'RUNNING' AS status_before, status
),
found AS (SELECT number, id FROM written)"""
WITH_RECORDS: Final = """,
recorded AS (
    INSERT INTO operations SELECT found.number, {records}
    ON CONFLICT (execution, ord) DO UPDATE SET body = excluded.body
)"""
WITH_PAYLOADS: Final = """,
paid AS (
    INSERT INTO payloads SELECT found.number, {payloads}
    ON CONFLICT (execution, is_result) DO UPDATE SET body = excluded.body
)"""
# Few executions begin or end in a group, and only with webhooks, so that a join by id is cheap enough. A conflict: an execution
# of the same id was removed while its events were still owed.
WITH_NOTICES: Final = """,
owed AS (
    INSERT INTO webhook_events SELECT o.webhook, o.id, o.at, o.at, 0, o.body
    FROM unnest(%(o0)b::text[], %(o1)b::text[], %(o2)b::text[], %(o3)b::bigint[], %(o4)b::text[]) AS o(execution, webhook, id, at, body)
    JOIN found ON found.id = o.execution
    ON CONFLICT DO NOTHING
)"""
THEN: Final = """,
happened AS (INSERT INTO events SELECT number, {last_id}, {first_id}, {count}, {bodies} FROM found WHERE {count} > 0)
SELECT id, owner, CASE
    WHEN owner_before <> %(me)b::text THEN pg_notify(%(prefix)b::text || owner_before, id)::text
    WHEN %(tell_ends)b::boolean AND status_before IN ('RUNNING', 'PAUSING', 'PAUSED')
        AND status NOT IN ('RUNNING', 'PAUSING', 'PAUSED')
    THEN pg_notify(%(prefix)b::text, 'ended ' || id)::text
END
FROM written"""

DELETE: Final = Template(
    """
WITH found AS MATERIALIZED (SELECT number FROM executions WHERE id = %(id)b::text FOR UPDATE),
paid AS (DELETE FROM payloads USING found WHERE execution = found.number),
recorded AS (DELETE FROM operations USING found WHERE execution = found.number),
happened AS (DELETE FROM events USING found WHERE execution = found.number)
DELETE FROM executions USING found WHERE executions.number = found.number""",
    ["id"],
)


@cache
def statement(shape: Shape) -> Template:
    """Its values: who writes, the channels' prefix, whether ends are told; then the executions' columns, the records', the payloads' and
    those of what webhooks are owed: for each row if it is alone, otherwise each column as an array.

    They are called by part, row and column: n0_2, or n2 for a column as an array.
    """
    columns = (CREATED if shape.is_new else UPDATED) + (() if shape.is_alone else RANGES)
    if shape.is_alone:
        begin = INSERT_ONE if shape.is_new else FIND_ONE + UPDATE
        values = {name: _value("n", 0, place, kind) for place, (name, kind) in enumerate(columns)}
    else:
        begin = INSERT if shape.is_new else FIND + UPDATE
        values = {name: f"found.{name}" for name, _ in columns}
    new = f"{_unnested('n', columns)} AS n({', '.join(name for name, _ in columns)})"  # which a statement for one does not mention
    text = begin.format(new=new, never=NEVER, **values)
    if shape.records:
        text += WITH_RECORDS.format(records=_elements("r", RECORDS, "records", shape.is_alone, shape.records))
    if shape.payloads:
        text += WITH_PAYLOADS.format(payloads=_elements("p", PAYLOADS, "payloads", shape.is_alone, shape.payloads))
    if shape.has_notices:
        text += WITH_NOTICES
    return Template(text + THEN.format(**values), ["me", "prefix", "tell_ends", *_names(shape, columns)])


def _names(shape: Shape, columns: Columns) -> Iterator[str]:
    for part, of_row, rows in (("n", columns, 1), ("r", RECORDS, shape.records), ("p", PAYLOADS, shape.payloads)):
        for row in range(rows):
            yield from (f"{part}{row}_{place}" if shape.is_alone else f"{part}{place}" for place in range(len(of_row)))
    yield from (f"o{place}" for place in range(5))


def _value(part: str, row: int, place: int, kind: str) -> str:
    return f"%({part}{row}_{place})b::{kind}"


def _rows(part: str, columns: Columns, rows: int) -> str:
    values = (", ".join(_value(part, row, place, kind) for place, (_, kind) in enumerate(columns)) for row in range(rows))
    return f"(VALUES {', '.join(f'({row})' for row in values)})"


def _unnested(part: str, columns: Columns) -> str:
    return f"unnest({', '.join(f'%({part}{place})b::{kind}[]' for place, (_, kind) in enumerate(columns))})"


def _elements(part: str, columns: Columns, what: str, is_alone: bool, rows: int) -> str:
    """What belongs to an execution that was found, as the rest of a SELECT."""
    if is_alone:
        names = ", ".join(name for name, _ in columns)
        return f"{', '.join(f'{part}.{name}' for name, _ in columns)} FROM found, {_rows(part, columns, rows)} AS {part}({names})"
    values = ", ".join(f"(%({part}{place})b::{kind}[])[i]" for place, (_, kind) in enumerate(columns))
    return f"{values} FROM found, generate_series(found.{what}_from, found.{what}_to) AS i"
