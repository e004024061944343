from __future__ import annotations

import base64
import json
import os
import traceback

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import SerializationError, UsageError
from everstep.stages import Compressed, Encrypted, KeyRing, KmsKeys, Pipeline, Where
from tests.stages.fakes import ELSEWHERE, HERE, OTHER_EXECUTION, Kms, as_json, texts

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
STAGE = Encrypted({"key-2025": OLD, "key-2026": NEW}, current="key-2026")
TEXT = as_json({"card": "4111 1111 1111 1111"})


def test_nothing_of_the_text_is_in_the_record() -> None:
    written = STAGE.write(TEXT, HERE)

    members = json.loads(written)
    assert list(members) == ["everstep", "v", "key", "nonce", "data"]
    assert members["key"] == "key-2026"
    assert "4111" not in written
    assert len(base64.b64decode(members["data"])) == len(TEXT) + 16


def test_the_record_can_be_read_by_its_description_alone() -> None:
    members = json.loads(STAGE.write(TEXT, HERE))

    parts = (b"aes-256-gcm", b"1", b"key-2026", HERE.execution_arn.encode(), HERE.operation_id.encode())
    bound_to = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    nonce, data = base64.b64decode(members["nonce"]), base64.b64decode(members["data"])
    assert AESGCM(NEW).decrypt(nonce, data, bound_to).decode() == TEXT


def test_equal_texts_are_written_differently() -> None:
    nonces = {json.loads(STAGE.write(TEXT, HERE))["nonce"] for _ in range(100)}

    assert len(nonces) == 100


# -- rotation --------------------------------------------------------------------------


def test_a_text_of_an_older_key_is_read_while_the_ring_has_it() -> None:
    before = Encrypted({"key-2025": OLD})

    assert STAGE.read(before.write(TEXT, HERE), HERE) == TEXT


def test_a_key_that_the_ring_lost_is_named_with_advice() -> None:
    written = STAGE.write(TEXT, HERE)

    with pytest.raises(SerializationError, match=r'key "key-2026", and the ring has "key-2025"\. Keep a key in the ring until'):
        Encrypted({"key-2025": OLD}).read(written, HERE)


def test_another_key_under_the_same_name_is_found_out() -> None:
    written = STAGE.write(TEXT, HERE)

    with pytest.raises(SerializationError, match="another one now"):
        Encrypted({"key-2026": OLD}).read(written, HERE)


def test_texts_under_keys_from_elsewhere_are_read_if_that_is_named() -> None:
    ring = KeyRing({"key-2025": OLD, "key-2026": NEW}, "key-2025")
    written = Encrypted(ring).write(TEXT, HERE)

    assert Encrypted(KmsKeys("alias/order", client=Kms()), older=[KeyRing({"key-1999": NEW}), ring]).read(written, HERE) == TEXT
    with pytest.raises(SerializationError, match="KmsKeys"):  # of the keys that should have it, not of the older ones
        Encrypted(KmsKeys("alias/order", client=Kms()), older=[KeyRing({"key-1999": NEW})]).read(written, HERE)


# -- tampering -------------------------------------------------------------------------


@pytest.mark.parametrize("where", [ELSEWHERE, OTHER_EXECUTION])
def test_a_text_that_was_moved_is_refused(where: Where) -> None:
    written = STAGE.write(TEXT, HERE)

    with pytest.raises(SerializationError, match="written for another operation or execution"):
        STAGE.read(written, where)


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_two_places_are_the_same(arn: str, operation: str, other_arn: str, other_operation: str) -> None:
    here, there = Where(arn, operation), Where(other_arn, other_operation)
    if here != there:
        with pytest.raises(SerializationError):
            STAGE.read(STAGE.write(TEXT, here), there)


def test_the_place_is_bound_part_by_part() -> None:
    with pytest.raises(SerializationError):
        STAGE.read(STAGE.write(TEXT, Where("ab", "c")), Where("a", "bc"))


@given(st.sampled_from(["key", "nonce", "data"]), st.integers(0), st.integers(1, 255))
def test_a_change_of_any_byte_is_found_out(member: str, position: int, change: int) -> None:
    members = json.loads(STAGE.write(TEXT, HERE))
    if member == "key":
        members["key"] = "key-2025"
    else:
        data = bytearray(base64.b64decode(members[member]))
        data[position % len(data)] ^= change
        members[member] = base64.b64encode(data).decode()

    with pytest.raises(SerializationError, match="can't be decrypted"):
        STAGE.read(json.dumps(members, separators=(",", ":")), HERE)


@given(st.sampled_from(["nonce", "data"]), st.integers(0, 11))
def test_a_part_of_the_text_is_refused(member: str, length: int) -> None:
    members = json.loads(STAGE.write(TEXT, HERE))
    members[member] = base64.b64encode(base64.b64decode(members[member])[:length]).decode()

    with pytest.raises(SerializationError, match="can't be decrypted"):
        STAGE.read(json.dumps(members, separators=(",", ":")), HERE)


@given(st.integers(0), st.characters(codec="ascii"))
def test_a_change_of_any_character_is_found_out_or_changes_nothing(position: int, character: str) -> None:
    written = STAGE.write(TEXT, HERE)
    position = len('{"everstep":"aes-256-gcm",') + position % (len(written) - len('{"everstep":"aes-256-gcm",'))
    changed = written[:position] + character + written[position + 1 :]

    try:
        read = STAGE.read(changed, HERE)
    except SerializationError:
        return
    assert read == TEXT  # the change was of what JSON or base64 ignores


@pytest.mark.parametrize("text", ['{"everstep":"aes-256-gcm",', '{"everstep":"aes-256-gcm","v":2,"key":"key-2026","nonce":"","data":""}'])
def test_a_damaged_envelope_is_an_error(text: str) -> None:
    with pytest.raises(SerializationError, match="newer Everstep"):
        STAGE.read(text, HERE)


# -- plain texts -----------------------------------------------------------------------


@given(texts)
def test_a_plain_text_can_be_refused(text: str) -> None:
    strict = Pipeline(Compressed(), Encrypted({"key-2026": NEW}, accepts_plain=False))

    assert strict.read(strict.write(text, HERE), HERE) == text
    with pytest.raises(SerializationError, match=r"accepts_plain=False"):
        strict.read(Pipeline(Compressed()).write(text, HERE), HERE)


# -- keys ------------------------------------------------------------------------------


def test_keys_are_in_no_repr_and_no_error() -> None:
    key = os.urandom(32)
    stage = Encrypted(KeyRing({"key-2026": key, "key-2025": OLD}, "key-2026"))
    shown = [repr(stage), repr(stage.keys), str(vars(stage)), repr(Pipeline(stage))]
    for changed in (stage.write(TEXT, ELSEWHERE), stage.write(TEXT, HERE).replace("key-2026", "key-2027")):
        with pytest.raises(SerializationError) as raised:
            stage.read(changed, HERE)
        shown.append("".join(traceback.format_exception(raised.value)))

    everything = "\n".join(shown)
    assert "key-2026" in everything
    assert not any(form in everything for form in (key.hex(), repr(key), base64.b64encode(key).decode()))


@pytest.mark.parametrize("key", [b"", b"short", bytes(16), bytes(33), "x" * 32, bytearray(32)])
def test_a_key_of_another_size_or_type_is_refused_unseen(key: bytes) -> None:
    with pytest.raises(UsageError, match=r'^the key "main" must be 32 bytes; os\.urandom\(32\) makes one$'):
        Encrypted({"main": key})


@pytest.mark.parametrize(("names", "current"), [([], None), (["a", "b"], None), (["a"], "b"), ([], "a")])
def test_which_key_to_write_with_must_be_clear(names: list[str], current: str | None) -> None:
    with pytest.raises(UsageError, match="name the one to write with"):
        KeyRing({name: bytes(32) for name in names}, current)


def test_keys_that_choose_by_themselves_are_not_told_which() -> None:
    with pytest.raises(UsageError, match="KeyRing, which chooses the key"):
        Encrypted(KeyRing({"a": OLD}), "a")


def test_a_ring_does_not_change_with_the_mapping_that_it_was_made_of() -> None:
    keys = {"a": OLD}
    ring = KeyRing(keys)
    keys["a"] = NEW

    assert ring.to_write(HERE) == ("a", OLD)
