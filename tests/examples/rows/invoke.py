"""Rows of examples/invoke."""

from __future__ import annotations

from datetime import timedelta

from examples.invoke import basic, failure, recurse

from tests.examples.row import row

ROWS = [
    row(
        basic.sell,
        "lamp",
        result="19.5 EUR, lamp in a box, on its way",
        functions=[basic.price_list, basic.shipping],
        operations=["ChainedInvoke price", "Wait timer", "ChainedInvoke ship"],
        took=timedelta(days=2),
    ),
    row(
        failure.plan_route,
        ["Ring 1", "Nowhere 1", "Ring 2"],
        result=["48.2 N 16.37 E", "ask the customer about Nowhere 1", "ResourceNotFoundException"],
        functions=[failure.geocode],
        operations=["3 x ChainedInvoke"],
    ),
    row(recurse.answer_letters, recurse.Round(), result=10, operations=["Step letter 0 to 3", "ChainedInvoke next round"]),
    row(recurse.answer_letters, recurse.Round(8, 8), case="the last round", result=10, operations=["Step letter 8 to 9"]),
]
