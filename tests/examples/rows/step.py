"""Rows of examples/step."""

from __future__ import annotations

from datetime import timedelta

from examples.step import (
    basic,
    error_determinism,
    named,
    own_strategy,
    plain_function,
    retry_exponential_backoff,
    retry_with_filter,
    time_limit,
    with_config,
)

from tests.examples.row import row

ROWS = [
    row(basic.reserve, 4, result="table for 4", operations=["Step reserve_table"]),
    row(named.transfer, 250, result=["checking -250", "savings +250"], operations=["Step debit", "Step credit"]),
    row(with_config.send_up, "balloon 7", result="balloon 7 is up", operations=["Step launch"]),
    row(retry_exponential_backoff.forecast, "Porto", result="sun in Porto", operations=["Step fetch_forecast"], took=None),
    row(retry_with_filter.pay, "4242", result="4242 charged at attempt 3", operations=["Step charge"], took=None),
    row(
        retry_with_filter.pay,
        "stolen",
        case="not tried again",
        result="stolen declined, please use another card",
        operations=["Step charge"],
    ),
    row(own_strategy.translation, "good morning", result="GOOD MORNING", operations=["Step translate"], took=timedelta(minutes=3)),
    row(
        error_determinism.order,
        "kettle",
        result="kettle will be sent in 11 days",
        operations=["Step reserve", "Wait", "Step put_on_list"],
        took=timedelta(days=1),
    ),
    row(time_limit.check_in, 1, case="slow once", result="LHR-204 scanned", operations=["Step scan"], took=timedelta(seconds=15)),
    row(
        time_limit.check_in,
        9,
        case="always slow",
        result="typed in by hand: the attempt took longer than 10 s",
        operations=["Step scan"],
        took=timedelta(seconds=40),
    ),
    row(
        plain_function.archive,
        "the deed of the house",
        result=["9e8437a6 in vault 3", "9e84"],
        operations=["Step fingerprint", "Step keep", "Step shorten"],
        took=None,  # threads take real time
    ),
]
