"""Ids."""

from __future__ import annotations

import uuid

from everstep.service.ids import random_id


def test_an_id_is_the_text_of_a_random_uuid_and_never_comes_again() -> None:
    ids = [random_id() for _ in range(2_000)]

    assert len(set(ids)) == len(ids)
    for one in ids:
        read = uuid.UUID(one)
        assert (str(read), read.version, read.variant) == (one, 4, uuid.RFC_4122)
