"""`everstep compare`: two executions side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Function, Place, Profile, Region

if TYPE_CHECKING:
    from rich.text import Text

    from everstep.client.executions import ExecutionsApi
    from everstep.histories.comparison import Comparison, Pair, Verdict
    from everstep.histories.recording import Recording
    from everstep.protocol.shapes import Operation

_SIGNS: Final[Mapping[Verdict, str]] = {"same": " ", "differs": "≠", "left only": "<", "right only": ">"}
_WORTH_SAYING_MS: Final = 1_000


def compare(
    left: Annotated[str, typer.Argument(metavar="LEFT", help="An execution: its ARN, the beginning of its id, or its name.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="Another one.")],
    function: Function = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is the same as well.")] = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Line up the operations of two executions by name, and say in what they differ, and where first."""
    from everstep.cli import showing
    from everstep.cli.references import arn_of
    from everstep.histories import comparison

    with Place(endpoint_url, region, profile).api("compare") as api:
        arns = [arn_of(api, one, function) for one in (left, right)]
        found = comparison.compare(*(_recording(api, arn) for arn in arns))
    if json:
        showing.print_json(_in_full(found))
        return
    out = showing.console()
    for side, one in (("left ", found.left), ("right", found.right)):
        out.print(f"{side}  {one.arn}", soft_wrap=True)
    _print_table(found, found.pairs if everything else found.differing)
    for line in _summary(found):
        out.print(line)


def _recording(api: ExecutionsApi, arn: str) -> Recording:
    from everstep.histories.reading import recording_of
    from everstep.histories.sources import history_of

    return recording_of(history_of(api, {"DurableExecutionArn": arn}), arn)


def _print_table(found: Comparison, pairs: Sequence[Pair]) -> None:
    from rich import box
    from rich.table import Table

    from everstep.cli import showing

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "OPERATION", "LEFT", "RIGHT"):
        table.add_column(heading, overflow="fold")
    table.add_row(_SIGNS["differs" if found.differs_in else "same"], "the execution", _of_execution(found.left), _of_execution(found.right))
    for pair in pairs:
        label = f"{'  ' * len(pair.place)}{pair.place[-1]}"
        table.add_row(_SIGNS[pair.verdict], label, _of_operation(pair.left), _of_operation(pair.right))
    showing.console().print(table)


def _of_execution(one: Recording) -> Text:
    from everstep.cli import showing
    from everstep.testing.drawing import outcome_line

    return showing.outcome(one.status, outcome_line(one.status, one.result, one.error))


def _of_operation(one: Operation | None) -> Text:
    """Kind, outcome, attempts if it took several, and how long it took if that is a second or more."""
    from rich.text import Text

    from everstep.cli import showing
    from everstep.histories.comparison import attempts_of, duration_ms, error_of, result_of
    from everstep.testing.drawing import outcome_line

    if one is None:
        return Text("")
    attempts, duration = attempts_of(one) or 0, duration_ms(one) or 0
    parts = [f"{one.sub_type or one.type} {outcome_line(one.status, None if one.type == 'CONTEXT' else result_of(one), error_of(one))}"]
    parts += [f"{attempts} attempts"] if attempts > 1 else []
    parts += [showing.span(duration / 1000)] if duration >= _WORTH_SAYING_MS else []
    return showing.outcome(one.status, " · ".join(parts))


def _summary(found: Comparison) -> Iterator[str]:
    counts = Counter(pair.verdict for pair in found.pairs)
    yield ", ".join(f"{counts[verdict]} {verdict}" for verdict in _SIGNS if counts[verdict]) or "no operations"
    if found.differs_in:
        yield f"the executions differ in {', '.join(found.differs_in)}"
    if found.first is not None:
        said = f"in {', '.join(found.first.differs_in)}" if found.first.differs_in else found.first.verdict
        yield f"first difference: {found.first.path}, {said}"


def _in_full(found: Comparison) -> dict[str, object]:
    """For programs. Operations are in the API's form."""
    return {
        "Left": {"DurableExecutionArn": found.left.arn, "Status": found.left.status},
        "Right": {"DurableExecutionArn": found.right.arn, "Status": found.right.status},
        "DiffersIn": [aspect.upper() for aspect in found.differs_in],
        "FirstDifference": None if found.first is None else found.first.path,
        "Operations": [
            {
                "Path": pair.path,
                "Verdict": pair.verdict.upper().replace(" ", "_"),
                "DiffersIn": [aspect.upper() for aspect in pair.differs_in],
                "Left": _in_seconds(pair.left),
                "Right": _in_seconds(pair.right),
            }
            for pair in found.pairs
        ],
    }


def _in_seconds(one: Operation | None) -> Operation | None:
    from everstep.server.wire import operations_in_seconds

    return None if one is None else operations_in_seconds([one])[0]
