from __future__ import annotations

import sys
from base64 import b64encode

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import SerializationError, UsageError
from everstep.stages import Compressed
from everstep.stages.zstd import Zstd, load
from tests.stages.fakes import HERE, as_json

LONG = as_json({"names": ["order"] * 1000})


def recorded(data: bytes) -> str:
    return f'{{"everstep":"zstd","v":1,"data":"{b64encode(data).decode()}"}}'


def test_a_long_text_is_recorded_as_zstandard() -> None:
    written = Compressed().write(LONG, HERE)

    assert written.startswith('{"everstep":"zstd","v":1,"data":"')
    assert len(written) < len(LONG) / 20


@pytest.mark.parametrize("text", ["", "null", as_json("x" * 1000), as_json("é" * 500)])
def test_a_short_text_is_left_alone(text: str) -> None:
    assert Compressed(above=1024).write(text, HERE) is text


def test_bytes_are_counted_not_characters() -> None:
    text = as_json("é" * 600)

    assert len(text) < 1024
    assert Compressed(above=1024).write(text, HERE) != text


@given(st.binary(min_size=1100, max_size=1500))
def test_a_text_that_would_not_become_smaller_is_left_alone(noise: bytes) -> None:
    text = as_json(b64encode(noise).decode())

    written = Compressed().write(text, HERE)

    assert len(written) <= len(text)


def test_a_text_that_looks_compressed_is_compressed_however_short_it_is() -> None:
    stage = Compressed()
    text = recorded(b"no frame")

    written = stage.write(text, HERE)

    assert written != text
    assert stage.read(written, HERE) == text


def test_a_text_larger_than_may_be_read_back_is_not_compressed() -> None:
    assert Compressed(max_bytes=2000).write(LONG, HERE) is LONG

    with pytest.raises(SerializationError, match="max_bytes=2000"):
        Compressed(max_bytes=2000).write(recorded(b"x" * 2000), HERE)


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1_000_000_000 // 4))
    assert len(bomb) < 25_000

    with pytest.raises(SerializationError, match=r"250,000,000 bytes, and 67,108,864 are allowed"):
        Compressed().read(recorded(bomb), HERE)


def test_a_bomb_that_does_not_say_its_size_is_refused() -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=False)

    with pytest.raises(SerializationError, match="does not say its size"):
        Compressed().read(recorded(compressor.compress(bytes(1000))), HERE)


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    honest = zstandard.ZstdCompressor().compress(bytes(70_000))
    lying = honest.replace((70_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"), 1)
    assert zstandard.frame_content_size(lying) == 1000

    with pytest.raises(SerializationError, match="damaged"):
        Compressed().read(recorded(lying), HERE)


@given(st.integers(0), st.integers(0, 255))
def test_a_damaged_text_is_an_error_or_still_the_text(position: int, byte: int) -> None:
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(LONG.encode()))
    data[position % len(data)] = byte

    try:
        read = Compressed().read(recorded(bytes(data)), HERE)
    except SerializationError:
        return
    assert read == LONG


@pytest.mark.parametrize(
    "data",
    [b"", b"no frame", zstandard.ZstdCompressor().compress(b"x" * 50)[:-1], zstandard.ZstdCompressor().compress(b"x") + b"y"],
)
def test_what_is_no_whole_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(SerializationError, match="damaged"):
        Compressed().read(recorded(data), HERE)


@pytest.mark.parametrize(
    "text",
    ['{"everstep":"zstd","v":1}', '{"everstep":"zstd","v":1,"data":"%"}', '{"everstep":"zstd","v":2,"data":""}', '{"everstep":"zstd",'],
)
def test_a_damaged_envelope_is_an_error(text: str) -> None:
    with pytest.raises(SerializationError, match="newer Everstep"):
        Compressed().read(text, HERE)


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(SerializationError, match="no text"):
        Compressed().read(recorded(zstandard.ZstdCompressor().compress(b"\xff\xfe")), HERE)


@pytest.mark.parametrize("level", [0, 23])
def test_levels_that_zstandard_does_not_have_are_refused(level: int) -> None:
    with pytest.raises(UsageError, match="between 1 and 22"):
        Compressed(level=level)


def test_sizes_below_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="above is -1"):
        Compressed(above=-1)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the standard library has no Zstandard")
@given(st.binary(max_size=3000))
def test_the_librarys_zstandard_and_the_packages_read_each_other(data: bytes) -> None:
    from everstep.stages.zstd import OfThePackage

    library: Zstd = load("a test")
    package = OfThePackage()

    assert type(library).__name__ == "OfTheLibrary"
    assert package.decompress(library.compress(data, 3), 3000) == data
    assert library.decompress(package.compress(data, 3), 3000) == data
