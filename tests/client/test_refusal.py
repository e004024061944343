"""A refusal fares as the family's SDKs have it fare (spec 1.7), whatever form it comes in."""

from __future__ import annotations

import json

import pytest

from everstep.client.refusal import Verdict, classify, read_refusal

INVALID = "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("status", "code", "message", "verdict"),
    [
        (400, INVALID, "Invalid checkpoint token", "stale"),
        (400, INVALID, "Invalid checkpoint token: expired", "stale"),
        (400, INVALID, "Checkpoint token is not valid for the durable execution ARN", "terminal"),
        (400, INVALID, "oh: Invalid checkpoint token", "terminal"),
        (400, "ValidationException", "Invalid checkpoint token", "terminal"),
        (400, "SerializationException", "", "terminal"),
        (403, "AccessDeniedException", "no", "terminal"),
        (404, "ResourceNotFoundException", "no", "terminal"),
        (413, "RequestTooLargeException", "no", "terminal"),
        (408, "Http408", "", "transient"),
        (429, "TooManyRequestsException", "", "throttled"),
        (429, "Http429", "", "throttled"),
        (400, "ThrottlingException", "", "throttled"),
        (500, "ServiceException", "", "transient"),
        (502, "Http502", "<html>", "transient"),
        (503, "Http503", "", "transient"),
        (502, "KMSAccessDeniedException", "", "terminal"),
        (502, "KMSNotFoundException", "", "terminal"),
        (307, "Http307", "", "transient"),
        (0, "ConnectionRefusedError", "", "transient"),
    ],
)
def test_what_a_refusal_means(status: int, code: str, message: str, verdict: Verdict) -> None:
    assert classify(status, code, message) == verdict


@pytest.mark.parametrize(
    ("headers", "body", "code", "message"),
    [
        ({"x-amzn-errortype": "ServiceException:http://internal.amazon.com/coral/"}, {"Message": "m"}, "ServiceException", "m"),
        ({"x-amzn-errortype": INVALID}, {"Type": "User", "message": "m"}, INVALID, "m"),
        ({}, {"__type": "com.amazonaws.lambda#ServiceException", "message": "m"}, "ServiceException", "m"),
        ({}, {"code": INVALID, "message": "m"}, INVALID, "m"),
        ({}, {"Type": INVALID, "message": "m"}, INVALID, "m"),
        ({}, {"Type": "User", "message": "m"}, "Http418", "m"),
        ({}, {"message": None}, "Http418", '{"message": null}'),
        ({}, "plain", "Http418", '"plain"'),
    ],
)
def test_code_and_message_are_found_wherever_they_stand(headers: dict[str, str], body: object, code: str, message: str) -> None:
    refusal = read_refusal(418, headers, json.dumps(body).encode())

    assert (refusal.code, refusal.message) == (code, message)


def test_a_page_of_html_is_quoted() -> None:
    assert read_refusal(502, {}, b"<html>Bad gateway \xff").message == "<html>Bad gateway \ufffd"


def test_the_error_says_what_was_refused_and_whether_trying_again_can_help() -> None:
    error = read_refusal(400, {"x-amzn-errortype": INVALID}, b'{"message":"Invalid checkpoint token"}').error()

    assert (error.code, error.status, error.is_retryable) == (INVALID, 400, True)
    assert str(error) == f"{INVALID}: Invalid checkpoint token"
    assert not read_refusal(404, {}, b"").error().is_retryable
