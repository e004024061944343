"""Rows of examples/versions."""

from __future__ import annotations

from datetime import timedelta

from examples.versions import keys, patched

from tests.examples.row import row

ROWS = [
    row(
        patched.before,
        700,
        case="as it was",
        result=["700 by cheque", "700 by cheque"],
        operations=["Step pay_by_cheque", "Wait a month", "Step pay_by_cheque", "Wait a month"],
        took=timedelta(days=60),
    ),
    row(
        patched.pay_rent,
        700,
        case="as it is",
        result=["700 by transfer", "700 by transfer"],
        operations=["Patch transfer-0", "Step pay_by_transfer", "Wait a month", "Patch transfer-1", "Step pay_by_transfer", "Wait a month"],
        took=timedelta(days=60),
    ),
    row(
        keys.before,
        ["rose", "fern"],
        case="as it was",
        result=["rose watered", "fern watered"],
        operations=["2 x Step water", "Wait"],
        took=timedelta(days=1),
    ),
    row(
        keys.water_plants,
        ["rose", "fern"],
        case="as it is",
        result=["fern watered", "rose watered", "cactus watered"],
        operations=["2 x Step water", "Wait", "Step water"],
        took=timedelta(days=1),
    ),
]
