from __future__ import annotations

import os
import subprocess
import sys

import pytest

from everstep.service.stores.postgres.processes import is_gone, this_process

NOBODY = "00000000-0000-0000-0000-000000000000/pid:[1]"

pytestmark = pytest.mark.skipif(this_process() is None, reason="this system does not show its processes")


def said_here() -> list[str]:
    said = this_process()
    assert said is not None
    return said.split(" ")


def test_this_process_is_not_gone() -> None:
    assert not is_gone(" ".join(said_here()))


def test_a_process_that_has_ended_is_gone_also_before_its_parent_has_heard_of_it() -> None:
    program = "from everstep.service.stores.postgres.processes import this_process; print(this_process())"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.read().strip()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert is_gone(said)
    assert is_gone(said)


def test_a_process_is_gone_if_its_number_is_another_ones_now() -> None:
    machine, number, begun_at = said_here()

    assert is_gone(f"{machine} {number} {int(begun_at) - 1}")


@pytest.mark.parametrize("said", ["", "x", f"{NOBODY} 999999999 1", f"{NOBODY} x 1"])
def test_what_cannot_be_known_is_not_gone(said: str) -> None:
    assert not is_gone(said)
