from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

import pytest

from everstep.errors import SerializationError, ServiceError, UsageError
from everstep.stages import Encrypted, KmsKeys, Where
from tests.stages.fakes import ELSEWHERE, HERE, OTHER_EXECUTION, Kms, RefusedError

TEXT: Final = '{"card":"4111"}'


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_texts_of_one_execution_share_a_data_key() -> None:
    kms = Kms()
    stage = Encrypted(KmsKeys("alias/order", client=kms))

    written = [(stage.write(TEXT, where), where) for where in (HERE, ELSEWHERE, HERE)]

    assert [stage.read(text, where) for text, where in written] == [TEXT] * 3
    assert kms.calls == ["generate_data_key"]


def test_another_process_asks_kms_once_to_read_them() -> None:
    kms = Kms()
    written = Encrypted(KmsKeys("alias/order", client=kms)).write(TEXT, HERE)
    other = Encrypted(KmsKeys("alias/order", client=kms))

    assert [other.read(written, HERE) for _ in range(3)] == [TEXT] * 3
    assert kms.calls == ["generate_data_key", "decrypt"]


def test_each_execution_has_data_keys_of_its_own() -> None:
    kms = Kms()
    stage = Encrypted(KmsKeys("alias/order", client=kms))

    stage.write(TEXT, HERE)
    stage.write(TEXT, OTHER_EXECUTION)

    assert kms.calls == ["generate_data_key"] * 2


def test_a_data_key_is_used_for_a_limited_number_of_texts() -> None:
    kms = Kms()
    stage = Encrypted(KmsKeys("alias/order", client=kms, max_uses=2))

    for _ in range(5):
        stage.write(TEXT, HERE)

    assert kms.calls == ["generate_data_key"] * 3


def test_a_data_key_is_used_for_a_limited_time() -> None:
    kms, clock = Kms(), Clock()
    stage = Encrypted(KmsKeys("alias/order", client=kms, max_age=timedelta(minutes=1), clock=clock))
    first = stage.write(TEXT, HERE)

    clock.now += 59
    stage.write(TEXT, HERE)
    assert stage.read(first, HERE) == TEXT
    assert kms.calls == ["generate_data_key"]

    clock.now += 1
    stage.write(TEXT, HERE)
    assert stage.read(first, HERE) == TEXT
    assert kms.calls == ["generate_data_key"] * 2 + ["decrypt"]


def test_a_limited_number_of_data_keys_is_remembered() -> None:
    kms = Kms()
    stage = Encrypted(KmsKeys("alias/order", client=kms, max_cached=2))
    places = [Where(f"arn-{n}", "op") for n in range(3)]
    for where in places:
        stage.write(TEXT, where)

    stage.write(TEXT, places[2])
    stage.write(TEXT, places[0])

    assert kms.calls == ["generate_data_key"] * 4


def test_the_context_of_another_execution_is_refused() -> None:
    kms = Kms()
    stage = Encrypted(KmsKeys("alias/order", client=kms))
    written = stage.write(TEXT, HERE)

    with pytest.raises(SerializationError, match=r"KMS refuses its key .*InvalidCiphertextException.*another execution"):
        stage.read(written, OTHER_EXECUTION)


def test_another_operation_of_the_execution_is_refused_too() -> None:
    stage = Encrypted(KmsKeys("alias/order", client=Kms()))

    with pytest.raises(SerializationError, match="another operation"):
        stage.read(stage.write(TEXT, HERE), ELSEWHERE)


def test_texts_of_an_older_kms_key_are_read_if_it_is_named() -> None:
    kms = Kms()
    written = Encrypted(KmsKeys("old", client=kms)).write(TEXT, HERE)

    assert Encrypted(KmsKeys("new", older=["older", "old"], client=kms)).read(written, HERE) == TEXT
    with pytest.raises(SerializationError, match=r"new: IncorrectKeyException.*KmsKeys\(older"):
        Encrypted(KmsKeys("new", client=kms)).read(written, HERE)


def test_a_ring_can_be_left_for_kms_only_when_its_texts_are_gone() -> None:
    written = Encrypted({"key-2026": bytes(32)}).write(TEXT, HERE)

    with pytest.raises(SerializationError, match="none of KMS's"):
        Encrypted(KmsKeys("alias/order", client=Kms())).read(written, HERE)


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [
        (RefusedError("ThrottlingException", 400), True),
        (RefusedError("KMSInternalException", 500), True),
        (RefusedError("DependencyTimeoutException", 503), True),
        (RefusedError("AccessDeniedException", 400), False),
        (RefusedError("DisabledException", 400), False),
        (RefusedError("KMSInvalidStateException", 400), False),
        (ConnectionError("no route"), True),
    ],
)
def test_what_kms_refuses_says_whether_another_try_may_succeed(error: Exception, is_retryable: bool) -> None:
    kms = Kms()
    written = Encrypted(KmsKeys("alias/order", client=kms)).write(TEXT, HERE)
    stage = Encrypted(KmsKeys("alias/order", client=kms))
    kms.fails = error

    for act in (partial(stage.write, TEXT), partial(stage.read, written)):
        with pytest.raises(ServiceError, match="KMS") as raised:
            act(HERE)
        assert raised.value.is_retryable is is_retryable
        assert raised.value.__cause__ is error


def test_data_keys_are_in_no_repr() -> None:
    keys = KmsKeys("alias/order", client=Kms())
    name, key = keys.to_write(HERE)

    shown = repr([keys, Encrypted(keys), *(getattr(part, "__dict__", None) for part in vars(keys).values())])
    assert name in shown
    assert repr(key) not in shown


def test_a_client_without_the_calls_is_refused() -> None:
    with pytest.raises(UsageError, match=r"object has no method generate_data_key: pass a client like boto3\.client\('kms'\)"):
        KmsKeys("alias/order", client=object())


def test_limits_below_the_least_are_refused() -> None:
    with pytest.raises(UsageError, match="max_uses 0"):
        KmsKeys("alias/order", client=Kms(), max_uses=0)
