from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everstep.errors import SerializationError
from everstep.official_envelope import OfficialPython
from everstep.operations.batch import RecordedItem, batch_text, read_batch
from everstep.stages import S3, Compressed, Directory, Encrypted, KeyRing, KmsKeys, Offloaded, Pipeline, Preview, Stage
from everstep.stages.envelope import is_envelope
from tests.stages.fakes import HERE, Backwards, Bucket, Kms, as_json, look_alikes, plain_texts, texts, values

_DIRECTORY: Final = tempfile.TemporaryDirectory()
KEYS: Final = {"key-2025": bytes(32), "key-2026": bytes(range(32))}
STAGES: Final[Mapping[str, Stage]] = {
    "compressed": Compressed(above=64),
    "all compressed": Compressed(above=0, level=19),
    "encrypted": Encrypted(KEYS, current="key-2026"),
    "encrypted by KMS": Encrypted(KmsKeys("alias/order", client=Kms())),
    "in files": Offloaded(Directory(_DIRECTORY.name), above=256),
    "in objects": Offloaded(S3("texts", "v1/", client=Bucket()), above=0, preview=Preview()),
    "a user's": Backwards(),
    "official": OfficialPython(),
}
ONE_OF_EACH_KIND: Final = [STAGES[name] for name in ("official", "compressed", "encrypted", "in files", "a user's")]


@pytest.fixture(autouse=True, scope="module")
def directory() -> Iterator[None]:
    with _DIRECTORY:
        yield


pipelines = st.lists(st.sampled_from([*STAGES.values()]), max_size=4)


@pytest.mark.parametrize("name", STAGES)
@settings(deadline=None)  # of files that are synced to disk
@given(text=plain_texts)
def test_a_stage_gives_back_what_it_was_given(name: str, text: str) -> None:
    stage = STAGES[name]

    assert stage.read(stage.write(text, HERE), HERE) == text


@settings(deadline=None)  # of files that are synced to disk
@given(pipelines, texts)
def test_stages_together_give_back_what_they_were_given_whatever_it_looks_like(stages: Sequence[Stage], text: str) -> None:
    pipeline = Pipeline(*stages)

    assert pipeline.read(pipeline.write(text, HERE), HERE) == text


@settings(deadline=None)  # of files that are synced to disk
@given(pipelines, values)
def test_what_a_pipeline_writes_of_a_value_stays_json_that_can_stand_in_a_batch(stages: Sequence[Stage], value: object) -> None:
    pipeline = Pipeline(*stages)
    recorded = pipeline.write(as_json(value), HERE)

    batch = batch_text([RecordedItem(0, "SUCCEEDED", msgspec.Raw(recorded.encode()))], "ALL_COMPLETED")

    assert recorded.encode() in batch.encode()
    items = read_batch(batch, lambda _, text: pipeline.read(text, HERE)).get_results()
    assert items == [as_json(value)]


@settings(deadline=None)
@given(st.permutations(ONE_OF_EACH_KIND), st.permutations(ONE_OF_EACH_KIND), texts)
def test_a_history_outlives_a_change_of_the_order_of_its_stages(before: list[Stage], after: list[Stage], text: str) -> None:
    recorded = Pipeline(*before).write(text, HERE)

    assert Pipeline(*after).read(recorded, HERE) == text


@settings(deadline=None)
@given(st.permutations(ONE_OF_EACH_KIND), st.integers(0, len(ONE_OF_EACH_KIND)), texts)
def test_a_history_outlives_the_adding_of_stages(stages: list[Stage], size: int, text: str) -> None:
    recorded = Pipeline(*stages[:size]).write(text, HERE)

    assert Pipeline(*stages).read(recorded, HERE) == text


@given(plain_texts)
def test_what_was_recorded_before_there_were_stages_is_read_as_it_is(text: str) -> None:
    assert Pipeline(Compressed(), Encrypted(KEYS, "key-2026")).read(text, HERE) == text


@given(look_alikes)
def test_a_value_that_looks_like_a_stages_is_a_value_without_stages_too(text: str) -> None:
    recorded = Pipeline().write(text, HERE)

    assert recorded != text
    assert Pipeline().read(recorded, HERE) == text


def test_an_ordinary_text_costs_nothing_without_stages() -> None:
    text = as_json({"id": "17"})

    assert Pipeline().write(text, HERE) is text
    assert Pipeline().read(text, HERE) is text


@pytest.mark.parametrize("name", ["all compressed", "encrypted", "in objects", "a user's"])
def test_a_text_of_a_stage_that_is_not_configured_is_an_error_and_no_value(name: str) -> None:
    recorded = STAGES[name].write(as_json("x" * 500), HERE)
    assert is_envelope(recorded)

    for pipeline in (Pipeline(), Pipeline(Compressed() if name != "all compressed" else Backwards())):
        with pytest.raises(SerializationError, match=r"not configured here.*Keep a stage for reading"):
            pipeline.read(recorded, HERE)


def test_a_text_from_the_future_is_an_error() -> None:
    with pytest.raises(SerializationError, match="newer Everstep"):
        Pipeline().read('{"everstep":"text","v":2,"blob":"x"}', HERE)


def test_marks_without_end_are_not_followed_without_end() -> None:
    class Endless:
        def write(self, text: str, where: object) -> str:
            return text

        def read(self, text: str, where: object) -> str:
            return f'{{"everstep":"endless","v":1,"n":{len(text)}}}'

    with pytest.raises(SerializationError, match="endless"):
        Pipeline(Endless()).read('{"everstep":"endless","v":1}', HERE)


def test_stages_of_a_pipeline_in_a_pipeline_take_its_place() -> None:
    first, second, third = Compressed(), Backwards(), OfficialPython()

    assert Pipeline(first, Pipeline(second, third)).stages == (first, second, third)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], False),
        ([OfficialPython(), Compressed(), Encrypted(KEYS, "key-2026"), Encrypted(KeyRing(KEYS, "key-2025"))], False),
        ([STAGES["encrypted by KMS"]], True),
        ([STAGES["in files"]], True),
        ([Compressed(), Backwards()], True),
    ],
)
def test_a_pipeline_blocks_if_a_stage_does_or_does_not_say(stages: Sequence[Stage], expected: bool) -> None:
    assert Pipeline(*stages).blocks is expected


@pytest.mark.parametrize("name", ["compressed", "encrypted", "in files", "in objects"])
def test_large_texts_are_no_trouble(name: str) -> None:
    pipeline = Pipeline(STAGES[name])
    text = as_json([{"id": n, "name": f"é{n}"} for n in range(60_000)])

    assert pipeline.read(pipeline.write(text, HERE), HERE) == text


@pytest.mark.parametrize("name", ["all compressed", "encrypted", "in files", "in objects"])
def test_half_a_surrogate_pair_is_refused_with_advice(name: str) -> None:
    with pytest.raises(SerializationError, match="can't be recorded"):
        STAGES[name].write('"\ud800"' + "x" * 500, HERE)
