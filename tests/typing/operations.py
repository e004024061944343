"""The other operations: results, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from everstep import BatchResult, Branch, Callback, Completion, DurableContext, JsonSerdes, Poll, Selected, Settled
from tests.typing.bodies import Order, Receipt, charge, count, label, log, pack, pack_numbered, pack_some

ORDERS = [Order("1"), Order("2")]


async def send(callback_id: str) -> None: ...
async def send_to(callback_id: str, address: str, copies: int = 1) -> bool:
    return bool(address)


def post(callback_id: str) -> int:
    return len(callback_id)


async def try_to_pack(ctx: DurableContext, attempt: int, order: Order) -> Receipt:
    return Receipt(attempt)


def look(seen: int) -> int:
    return seen + 1


async def look_later(seen: int) -> int:
    return seen + 1


async def time_passes(ctx: DurableContext) -> None:
    assert_type(await ctx.wait(5), None)
    assert_type(await ctx.wait(timedelta(days=3), name="three days"), None)

    await ctx.wait("5 s")  # type: ignore[arg-type]
    await ctx.wait()  # type: ignore[call-arg]


async def a_callback_gives_text_or_what_it_is_said_to_return(ctx: DurableContext) -> None:
    text = await ctx.create_callback(name="text", timeout=timedelta(days=1))
    assert_type(text, Callback[str | None])
    assert_type(text.callback_id, str)
    assert_type(await text, str | None)
    assert_type(await text.result(), str | None)

    order = await ctx.create_callback(returns=Order, heartbeat_timeout=60)
    assert_type(await order, Order)
    assert_type(await (await ctx.create_callback(returns=list[Order])), list[Order])
    assert_type(await (await ctx.create_callback(serdes=JsonSerdes[Order | None](Order | None))), Order | None)

    await ctx.create_callback(returns="Order")  # type: ignore[call-overload]
    await ctx.create_callback("name")  # type: ignore[call-overload]


async def a_submitter_takes_the_id_and_what_else_is_given(ctx: DurableContext) -> None:
    assert_type(await ctx.wait_for_callback(send), str | None)
    assert_type(await ctx.wait_for_callback(post), str | None)
    assert_type(await ctx.wait_for_callback(send_to, "desk", returns=Order), Order)
    assert_type(await ctx.wait_for_callback(send_to, "desk", 2, serdes=JsonSerdes[Receipt](Receipt)), Receipt)

    await ctx.wait_for_callback(send_to)  # type: ignore[call-arg, arg-type]
    await ctx.wait_for_callback(send_to, 5)  # type: ignore[arg-type]
    await ctx.wait_for_callback(charge)  # type: ignore[call-arg, arg-type]


async def an_invoke_gives_what_it_is_said_to_return(ctx: DurableContext) -> None:
    assert_type(await ctx.invoke("pay:1"), object)
    assert_type(await ctx.invoke("pay:1", {"id": 1}, returns=Receipt), Receipt)
    assert_type(await ctx.invoke("pay:1", Order("1"), returns=dict[str, int], tenant_id="t"), dict[str, int])
    assert_type(await ctx.invoke("pay:1", serdes=JsonSerdes[Receipt | None](Receipt | None)), Receipt | None)

    await ctx.invoke(charge, 1)  # type: ignore[call-overload]
    await ctx.invoke("pay:1", returns=Receipt | None)  # type: ignore[arg-type]  # a union is no class: JsonSerdes, as above


async def a_child_gives_what_its_body_returns(ctx: DurableContext) -> None:
    assert_type(await ctx.run_in_child_context(count), int)
    assert_type(await ctx.run_in_child_context(pack, Order("1"), name="pack"), Receipt)
    assert_type(await ctx.run_in_child_context(pack_some, ORDERS), list[Receipt])
    assert_type(await ctx.run_in_child_context(pack_some, ORDERS, "note"), list[Receipt])

    await ctx.run_in_child_context(pack)  # type: ignore[arg-type]
    await ctx.run_in_child_context(pack, "1")  # type: ignore[arg-type]
    await ctx.run_in_child_context(charge, 1)  # type: ignore[arg-type]
    await ctx.run_in_child_context(log, "x")  # type: ignore[arg-type]


async def a_map_gives_a_batch_of_what_its_body_returns(ctx: DurableContext) -> None:
    batch = await ctx.map(ORDERS, pack, max_concurrency=2, completion=Completion(tolerated_failure_count=1))
    assert_type(batch, BatchResult[Receipt])
    assert_type(batch.get_results(), list[Receipt])
    assert_type(batch.all[0].result, Receipt | None)
    assert_type(await ctx.map(ORDERS, pack_numbered), BatchResult[Receipt])
    assert_type(await ctx.map(("a", "b"), lambda child, item: child.step(len, item)), BatchResult[int])

    await ctx.map(["1"], pack)  # type: ignore[arg-type]
    await ctx.map(5, pack)  # type: ignore[call-overload]
    await ctx.map(ORDERS, count)  # type: ignore[arg-type]
    await ctx.map(ORDERS, pack, max_concurrency="2")  # type: ignore[call-overload]


async def a_parallel_gives_a_batch_of_what_its_branches_return(ctx: DurableContext) -> None:
    assert_type(await ctx.parallel([count, count]), BatchResult[int])
    assert_type(await ctx.parallel([Branch(count, "a"), Branch(count, "b")]), BatchResult[int])
    # Not [count, Branch(count, "b")]: mypy takes the type of such a list to be list[object].
    assert_type(await ctx.parallel({"a": count, "b": count}), BatchResult[int])

    await ctx.parallel([pack])  # type: ignore[arg-type]
    await ctx.parallel(count)  # type: ignore[call-overload]
    await ctx.parallel([count(ctx)])  # type: ignore[arg-type]


async def a_tuple_of_branches_gives_a_tuple_of_values(ctx: DurableContext) -> None:
    two = await ctx.parallel((count, label))
    assert_type(two.values(), tuple[int, str])
    assert_type((await ctx.parallel((count, Branch(label, "b"), count))).values(), tuple[int, str, int])
    assert_type((await ctx.parallel((count, label, count, label))).values(), tuple[int, str, int, str])


async def a_block_that_is_retried_gives_what_its_body_returns(ctx: DurableContext) -> None:
    assert_type(await ctx.with_retry(try_to_pack, Order("1")), Receipt)

    await ctx.with_retry(try_to_pack, "1")  # type: ignore[arg-type]
    await ctx.with_retry(pack, Order("1"))  # type: ignore[arg-type]


async def a_condition_gives_the_state_that_met_it(ctx: DurableContext) -> None:
    assert_type(await ctx.wait_for_condition(look, 0, poll=Poll(until=lambda seen: seen > 3)), int)
    assert_type(await ctx.wait_for_condition(look_later, 0, poll=lambda seen, poll: 5 if seen < 3 else None), int)

    await ctx.wait_for_condition(look, "0", poll=Poll(until=bool))  # type: ignore[arg-type]
    await ctx.wait_for_condition(look, 0)  # type: ignore[call-arg]


async def combinators_give_what_their_members_give(ctx: DurableContext) -> None:
    assert_type(await ctx.all(ctx.step(charge, 1), ctx.step(len, "ab")), tuple[Receipt, int])
    assert_type(await ctx.all(*[ctx.step(charge, amount) for amount in (1, 2)]), tuple[Receipt, ...])
    assert_type(await ctx.any(ctx.step(charge, 1), ctx.step(charge, 2)), Receipt)
    assert_type(await ctx.race(ctx.step(charge, 1), ctx.step(charge, 2)), Receipt)
    assert_type(await ctx.all_settled(ctx.step(charge, 1)), list[Settled[Receipt]])
    assert_type(await ctx.select({"a": ctx.step(charge, 1), "b": ctx.step(charge, 2)}), Selected[Receipt])

    await ctx.all(charge)  # type: ignore[call-overload]
    await ctx.race(1)  # type: ignore[arg-type]
