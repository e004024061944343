"""Plugins that are chosen from outside the program: `EVERSTEP_PLUGINS` names entry points of the group `everstep.plugins`.

Rule: nothing is searched unless the variable is set, for that costs a cold start; what it names must be there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from everstep.errors import UsageError
from everstep.plugins.api import Plugin

VARIABLE: Final = "EVERSTEP_PLUGINS"
GROUP: Final = "everstep.plugins"
_made: dict[str, Plugin] = {}


def installed_plugins() -> Iterator[Plugin]:
    """The plugins that the environment names, separated by commas; each is made once. Raises UsageError if one can't be had."""
    for name in os.environ.get(VARIABLE, "").split(","):
        if name.strip():
            yield _plugin(name.strip())


def _plugin(name: str) -> Plugin:
    if name in _made:
        return _made[name]
    from importlib.metadata import entry_points

    points = entry_points(group=GROUP)
    if name not in points.names:
        raise UsageError(
            f"{VARIABLE} names {name!r}, and no installed package offers a plugin of that name (entry points of {GROUP!r}: "
            f"{', '.join(sorted(points.names)) or 'none'})"
        )
    try:
        make = points[name].load()
        plugin: object = make()
    except Exception as error:
        raise UsageError(f"the plugin {name!r} that {VARIABLE} names could not be made: {type(error).__name__}: {error}") from error
    if not isinstance(plugin, Plugin):
        raise UsageError(f"the entry point {name!r} of {GROUP!r} gave {plugin!r}, not a plugin: it must name a callable that makes one")
    return _made.setdefault(name, plugin)
