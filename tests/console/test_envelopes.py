"""What stages wrote, as it is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from everstep.console.envelopes import Opened, opened
from everstep.console.visits import environment
from everstep.stages import Compressed, Directory, Encrypted, Offloaded, Pipeline, Preview
from everstep.stages.api import Where
from tests.console.functions import HOSTILE

WHERE = Where("arn:aws:lambda:us-east-1:123456789012:function:shop:1/durable-execution/one/two", "1")
CUSTOMER = json.dumps({"name": "Ada", "email": "ada@example.com", "notes": "x" * 3_000})


def test_of_an_offloaded_payload_the_redacted_excerpt_is_shown(tmp_path: Path) -> None:
    stage = Offloaded(Directory(tmp_path), above=20, preview=Preview(include=["name"], mask=["email"]))

    shown = opened(stage.write(CUSTOMER, WHERE))

    assert json.loads(shown.text) == {"name": "Ada", "email": "***"}
    assert shown.note.startswith(f"an excerpt of {len(CUSTOMER)} bytes, kept at ")


def test_without_an_excerpt_it_is_said_where_the_payload_is(tmp_path: Path) -> None:
    shown = opened(Offloaded(Directory(tmp_path), above=20).write(CUSTOMER, WHERE))

    assert shown.text == ""
    assert shown.note.startswith(f"{len(CUSTOMER)} bytes, kept at ")


def test_a_compressed_payload_is_shown_as_it_was() -> None:
    assert opened(Compressed().write(CUSTOMER, WHERE)) == Opened(CUSTOMER, "compressed")


def test_one_that_is_too_large_when_it_is_decompressed_is_not() -> None:
    assert opened(Compressed().write(json.dumps("x" * 5_000_000), WHERE)).text == ""


def test_of_an_encrypted_payload_only_the_key_is_named() -> None:
    shown = opened(Pipeline(Compressed(), Encrypted({"spring": os.urandom(32)}, "spring")).write(CUSTOMER, WHERE))

    assert shown == Opened("", "encrypted with the key spring, which is not here")


@given(st.text() | st.sampled_from(["text", "zstd", "offloaded", "aes-256-gcm", "acme"]).map(lambda kind: f'{{"everstep":"{kind}","v":1}}'))
def test_any_text_can_be_opened(text: str) -> None:
    assert opened(text) is not None


def test_a_payload_that_looks_like_a_stages_is_shown_as_the_users() -> None:
    text = '{"everstep":"zstd","mine":1}'

    assert opened(Pipeline(Compressed()).write(text, WHERE)) == Opened(text, "")


def test_hostile_envelopes_are_text() -> None:
    template = environment().from_string('{% import "_parts.html" as parts with context %}{{ parts.payload(text, "Result") }}')
    envelope = json.dumps({"everstep": "offloaded", "uri": HOSTILE, "bytes": HOSTILE, "preview": HOSTILE}, separators=(",", ":"))

    shown = template.render(text=envelope, folded_chars=600)

    assert "kept at &lt;img" in shown
    assert "<img" not in shown
