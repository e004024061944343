"""Two of three signatures are enough: each branch waits for a person, and the parallel ends with the second.

The execution does not wait for the third; if they answer later, nobody is waiting.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Branch, Completion, DurableContext, durable
from examples.run import Answer, run, tell


async def send_for_signature(callback_id: str, trustee: str) -> None:
    await tell(trustee, callback_id)


async def transfer(signed_by: list[str]) -> str:
    return f"transferred, signed by {' and '.join(signed_by)}"


def signature(trustee: str) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        return await child.wait_for_callback(send_for_signature, trustee, returns=str, name="signature")

    return Branch(body, name=trustee)


@durable
async def release_funds(event: list[str], ctx: DurableContext) -> str:
    signatures = await ctx.parallel([signature(trustee) for trustee in event], completion=Completion(min_successful=2))
    return await ctx.step(transfer, signatures.get_results())


if __name__ == "__main__":
    answers = {"Ada": Answer("A.", after=timedelta(days=1)), "Cy": Answer("C.", after=timedelta(days=2))}
    run(release_funds, ["Ada", "Ben", "Cy"], answers=answers)
