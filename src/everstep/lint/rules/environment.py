"""EVS004: what surrounds the process."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import in_argument_of_operation, is_listed, is_logged, shown
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached

_READS: Final = frozenset(
    {
        *("os.environ", "os.environb", "sys.argv"),
        *("os.getenv", "os.getenvb", "os.getcwd", "os.getpid", "os.getppid", "os.getlogin", "os.cpu_count", "os.uname", "os.getloadavg"),
        *("pathlib.Path.cwd", "pathlib.Path.home", "platform.node", "socket.gethostname", "socket.getfqdn", "getpass.getuser"),
        *("locale.getlocale", "multiprocessing.cpu_count"),
    }
)


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = program.module.qualified(node)
        if name is None or not is_listed(name, _READS) or is_logged(program, node) or in_argument_of_operation(program, node, function):
            continue
        yield Report(
            node,
            f"handler code reads {shown(name)}, which may be something else when it is replayed, in another process or after a deploy: "
            f"give it in the event, or read it in a step{reached(handling)}",
        )


RULE: Final = Rule("EVS004", "environment", "the environment of the process is read in handler code", check)
