"""Defaults of a process: what handlers use that say nothing else.

Rule: the most specific setting wins and replaces the others: of the operation, of the handler, of the process. Plugins only look,
so they add up instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from everstep.serdes import Serdes

if TYPE_CHECKING:
    from everstep.plugins.api import Plugin
    from everstep.stages import Stage

SerdesFactory: TypeAlias = Callable[[object], Serdes[object]]
"""Gives the serdes that writes and reads values of an annotation (`object` where there is none)."""


class Configuration(Struct):
    """serdes: makes the serdes of values; None: JSON by annotation. stages: what is done to recorded texts. plugins: are told."""

    serdes: SerdesFactory | None = None
    stages: Sequence[Stage] = ()
    plugins: Sequence[Plugin] = ()


process = Configuration()


def configure(*, serdes: SerdesFactory | None = None, stages: Sequence[Stage] = (), plugins: Sequence[Plugin] = ()) -> None:
    """Set the defaults of this process, before any handler runs. Each call replaces what the last one set.

    serdes: (annotation) to the serdes for it, of results and of the handler's event and output. stages: what is done to the
    recorded texts of steps, conditions, child contexts, items and branches: compress, encrypt, offload; see everstep.stages.
    plugins: told what happens to every handler's executions. Raises UsageError if one is not a plugin.
    """
    if plugins:
        from everstep.plugins.hooks import checked

        plugins = checked(plugins)
    process.serdes, process.stages, process.plugins = serdes, tuple(stages), tuple(plugins)


def chosen_plugins(own: Sequence[Plugin]) -> Sequence[Plugin]:
    """Those that the environment names, and a handler's own. Raises UsageError if one is not a plugin, or can't be had."""
    if not own and not os.environ.get("EVERSTEP_PLUGINS"):
        return ()
    from everstep.plugins.hooks import checked
    from everstep.plugins.installed import installed_plugins

    return checked((*installed_plugins(), *own))
