"""All rules, one file each, in the order of their ids."""

from __future__ import annotations

from typing import Final

from everstep.lint.rule import Rule
from everstep.lint.rules import (
    as_completed,
    callback_id,
    called_body,
    chance,
    clock,
    endless,
    environment,
    files,
    foreign_context,
    global_state,
    ids,
    invocation,
    late_binding,
    lost_write,
    nested,
    network,
    not_awaited,
    processes,
    sleep,
    swallowed,
    threads,
    unordered,
)

RULES: Final[tuple[Rule, ...]] = (
    clock.RULE,
    chance.RULE,
    ids.RULE,
    environment.RULE,
    files.RULE,
    network.RULE,
    processes.RULE,
    sleep.RULE,
    threads.RULE,
    global_state.RULE,
    unordered.RULE,
    as_completed.RULE,
    invocation.RULE,
    nested.RULE,
    lost_write.RULE,
    foreign_context.RULE,
    not_awaited.RULE,
    swallowed.RULE,
    callback_id.RULE,
    endless.RULE,
    called_body.RULE,
    late_binding.RULE,
)
