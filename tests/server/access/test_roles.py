from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from everstep.server.access.roles import ALLOWED, METRICS, RUNTIME_API, Role, may_call
from everstep.server.routing import OPERATIONS

ROLES: tuple[Role, ...] = get_args(Role)
PAGE = Path(__file__).parents[3] / "docs" / "server.md"


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert ALLOWED.keys() == {*OPERATIONS.values(), RUNTIME_API, METRICS}


def test_an_operator_may_do_everything_and_what_is_in_no_row_is_nobodys() -> None:
    assert all(may_call(["operator"], operation) for operation in ALLOWED)
    assert not may_call(ROLES, "DoSomethingNew")


@pytest.mark.parametrize(("roles", "count"), [(["callback"], 3), (["invoker"], 11), (["worker"], 3), (["invoker", "callback"], 14)])
def test_the_other_roles_may_do_little(roles: list[Role], count: int) -> None:
    assert sum(may_call(roles, operation) for operation in ALLOWED) == count


def test_the_table_in_the_docs_says_what_each_role_may_do() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text().split("## Access")[1], re.MULTILINE)
    said = {role: set(re.findall(r"`(\w+)`", operations)) for role, operations in rows if role in ROLES}

    assert said.keys() == set(ROLES)
    for role in ROLES:
        if role != "operator":
            assert said[role] == {operation for operation in ALLOWED if may_call([role], operation)} - {RUNTIME_API, METRICS}
