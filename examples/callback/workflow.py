"""An approval that people give: the manager's, and above a limit the director's as well, each within a day.

The handler holds nothing while they think. Nobody's silence is final: the time limit is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


@dataclass
class Expense:
    by: str
    amount: int


@dataclass
class Decision:
    approved: bool
    note: str = ""


async def ask(callback_id: str, approver: str, expense: Expense) -> None:
    """A real one mails a link that has the callback's id in it."""
    await tell(approver, callback_id)


async def pay(expense: Expense) -> str:
    return f"{expense.amount} EUR paid to {expense.by}"


@durable
async def approve(event: Expense, ctx: DurableContext) -> str:
    for approver in ["manager", "director"] if event.amount > 1000 else ["manager"]:
        try:
            decision = await ctx.wait_for_callback(
                ask, approver, event, returns=Decision, name=f"ask {approver}", timeout=timedelta(hours=24)
            )
        except CallbackTimeout:
            return f"back to {event.by}: the {approver} did not decide within a day"
        if not decision.approved:
            return f"back to {event.by}: the {approver} said {decision.note!r}"
    return await ctx.step(pay, event)


if __name__ == "__main__":
    yes = Decision(True)
    answers = {"manager": Answer(yes, after=timedelta(hours=3)), "director": Answer(yes, after=timedelta(hours=20))}
    run(approve, Expense("ada", 2400), answers=answers)
