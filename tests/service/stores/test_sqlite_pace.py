"""Whether commits are made on the loop's own thread, on disks of several kinds: a model of each says what every commit takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, repeat
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from everstep.service.stores.sqlite.pace import BRIEF_S, LONGEST_PAUSE, PROOF, WRITE_S, Pace

QUICK = 0.0002
LONG = 0.010


def held_up(pace: Pace, commits: int, here: Callable[[], float], in_thread: Callable[[], float]) -> tuple[int, int]:
    """Of so many commits, how many are made on the loop, and how many of these take long."""
    on_loop = long = 0
    for _ in range(commits):
        if pace.is_brief:
            seconds = here()
            pace.took_on_loop(seconds)
            on_loop += 1
            long += seconds >= BRIEF_S + WRITE_S
        else:
            pace.took_in_thread(in_thread())
    return on_loop, long


def always(seconds: float) -> Callable[[], float]:
    return repeat(seconds).__next__


def test_on_a_quick_disk_only_the_first_commits_are_made_in_the_thread() -> None:
    assert held_up(Pace(), 1_000, always(QUICK), always(QUICK)) == (1_000 - PROOF, 0)


def test_a_slow_disk_never_holds_up_the_loop() -> None:
    assert held_up(Pace(), 100_000, always(LONG), always(LONG)) == (0, 0)


def test_a_disk_that_is_slow_on_the_loop_alone_is_tried_ever_more_seldom() -> None:
    _, long = held_up(Pace(), 100_000, always(LONG), always(QUICK))
    assert 100_000 // LONGEST_PAUSE <= long < 100_000 // LONGEST_PAUSE + 10


def test_waiting_for_the_interpreters_lock_in_the_thread_does_not_keep_commits_there() -> None:
    """Beside a busy loop, most commits in the thread take long, whatever the disk."""
    in_thread = cycle([LONG] * 7 + [QUICK]).__next__
    on_loop, _ = held_up(Pace(), 1_000, always(QUICK), in_thread)
    assert on_loop > 1_000 - 2 * PROOF


def test_one_long_commit_in_a_hundred_costs_little() -> None:
    random = Random(1)
    on_loop, long = held_up(Pace(), 100_000, lambda: LONG if random.random() < 0.01 else QUICK, always(QUICK))
    assert on_loop > 75_000
    assert long < 1_000


def test_a_disk_that_has_become_quick_again_is_found_out() -> None:
    pace = Pace()
    held_up(pace, 10_000, always(LONG), always(QUICK))
    on_loop, _ = held_up(pace, 10_000, always(QUICK), always(QUICK))
    assert on_loop >= 10_000 - LONGEST_PAUSE


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_after_a_long_commit_on_the_loop_the_next_ones_are_made_in_the_thread(story: list[tuple[bool, bool]]) -> None:
    """Whatever has happened: at least as many as at first, and the last of them brief."""
    pace = Pace()
    for is_on_loop, is_brief in story:
        (pace.took_on_loop if is_on_loop and pace.is_brief else pace.took_in_thread)(QUICK if is_brief else LONG)
    for _ in range(LONGEST_PAUSE):
        pace.took_in_thread(QUICK)
    assert pace.is_brief
    pace.took_in_thread(LONG)
    assert pace.is_brief
    pace.took_on_loop(LONG)
    for _ in range(PROOF):
        assert not pace.is_brief
        pace.took_in_thread(LONG)
    assert not pace.is_brief


def test_each_write_may_take_its_time() -> None:
    pace = Pace()
    for _ in range(PROOF):
        pace.took_in_thread(BRIEF_S + 49 * WRITE_S, 50)
    assert pace.is_brief
    pace.took_on_loop(BRIEF_S + 49 * WRITE_S, 50)
    assert pace.is_brief
