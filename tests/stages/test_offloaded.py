from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everstep.errors import SerializationError, ServiceError, UsageError
from everstep.stages import S3, Directory, Encrypted, Offloaded, Pipeline, Preview, Store, Where
from tests.stages.fakes import ELSEWHERE, HERE, OTHER_EXECUTION, Bucket, RefusedError, as_json

TEXT = as_json({"id": "17", "email": "ada@example.com", "lines": ["x" * 100] * 10})


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Directory(tmp_path) if request.param == "directory" else S3("texts", "v1/", client=Bucket())


def member(recorded: str, name: str) -> object:
    return json.loads(recorded)[name]


def changed(recorded: str, **members: object) -> str:
    return json.dumps({**json.loads(recorded), **members}, separators=(",", ":"))


def only_file(directory: Path) -> Path:
    (file,) = (path for path in directory.rglob("*") if path.is_file())
    return file


# -- every store -------------------------------------------------------------------------


def test_the_record_says_where_the_text_is_and_what(store: Store) -> None:
    recorded = Offloaded(store, above=100).write(TEXT, HERE)

    assert list(json.loads(recorded)) == ["everstep", "v", "uri", "sha256", "bytes"]
    assert member(recorded, "everstep") == "offloaded"
    assert member(recorded, "bytes") == len(TEXT.encode())
    assert len(recorded) < 500


def test_a_text_of_up_to_the_size_stays_in_the_record(store: Store) -> None:
    assert Offloaded(store, above=len(TEXT)).write(TEXT, HERE) is TEXT
    assert Offloaded(store, above=len(TEXT) - 1).write(TEXT, HERE) != TEXT


def test_a_text_that_looks_offloaded_is_offloaded(store: Store) -> None:
    stage = Offloaded(store)
    text = '{"everstep":"offloaded","v":1,"uri":"file:/etc/passwd"}'

    assert stage.read(stage.write(text, HERE), HERE) == text


def test_no_two_texts_share_a_place(store: Store) -> None:
    stage = Offloaded(store, above=0)

    assert len({member(stage.write(TEXT, HERE), "uri") for _ in range(20)}) == 20


@pytest.mark.parametrize("where", [ELSEWHERE, OTHER_EXECUTION])
def test_the_text_of_another_operation_is_not_read(store: Store, where: Where) -> None:
    stage = Offloaded(store, above=0)
    recorded = stage.write(TEXT, HERE)

    with pytest.raises(SerializationError, match="the record was changed, or its text is in another store"):
        stage.read(recorded, where)


@given(
    st.sampled_from(["file:", "s3://texts/v1/", "s3://texts/", "s3://other/v1/", "", "https://x/"]).flatmap(
        lambda start: st.text("ab./\\%~\0:", max_size=12).map(start.__add__)
    )
    | st.text(max_size=20)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_its_own_places_is_read(store: Store, uri: str) -> None:
    stage = Offloaded(store, above=0)
    recorded = changed(stage.write(TEXT, HERE), uri=uri)

    with pytest.raises(SerializationError, match="points to"):
        stage.read(recorded, HERE)


@pytest.mark.parametrize("before", ["../", "./", "/", "x/", "//"])
def test_no_way_around_is_read(store: Store, before: str) -> None:
    stage = Offloaded(store, above=0)
    recorded = stage.write(TEXT, HERE)
    rest, _, name = str(member(recorded, "uri")).rpartition("/")
    folder = rest.replace(":", "/").rpartition("/")[2]
    start = rest.removesuffix(folder)

    for uri in (f"{start}{before}{folder}/{name}", f"{start}{folder}/{before}{name}"):
        with pytest.raises(SerializationError, match="points to"):
            stage.read(changed(recorded, uri=uri), HERE)
        with pytest.raises(SerializationError, match="points to"):
            store.get(uri, HERE, len(TEXT))


@pytest.mark.parametrize(("members", "message"), [({"sha256": "0" * 64}, "SHA-256"), ({"bytes": 3}, "changed"), ({"bytes": -1}, "changed")])
def test_a_record_that_was_changed_is_found_out(store: Store, members: dict[str, object], message: str) -> None:
    stage = Offloaded(store, above=0)
    recorded = stage.write(TEXT, HERE)

    with pytest.raises(SerializationError, match=message):
        stage.read(changed(recorded, **members), HERE)


def test_texts_in_an_older_store_are_read_if_it_is_named(store: Store) -> None:
    recorded = Offloaded(store, above=0).write(TEXT, HERE)
    new = S3("new", client=Bucket())

    assert Offloaded(new, older=[S3("newer", client=Bucket()), store]).read(recorded, HERE) == TEXT
    with pytest.raises(SerializationError, match=r"nothing that S3\('new', ''\) keeps for it.*Offloaded\(older=…\)"):
        Offloaded(new).read(recorded, HERE)


def test_other_stages_texts_pass(store: Store) -> None:
    assert Offloaded(store).read('{"everstep":"zstd","v":1}', HERE) == '{"everstep":"zstd","v":1}'


def test_a_negative_size_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="above is -1"):
        Offloaded(store, above=-1)


@pytest.mark.parametrize("operation_id", ["", "a/b", "..", "é", "x" * 65, "a.b"])
def test_operations_of_any_name_have_a_place(store: Store, operation_id: str) -> None:
    stage, where = Offloaded(store, above=0), Where("", operation_id)

    recorded = stage.write(TEXT, where)

    assert stage.read(recorded, where) == TEXT
    with pytest.raises(SerializationError):
        stage.read(recorded, Where("", "other"))


# -- previews ----------------------------------------------------------------------------


def test_an_excerpt_stands_in_the_record(store: Store) -> None:
    stage = Offloaded(store, above=0, preview=Preview(include=["id"], mask=["email"]))

    recorded = stage.write(TEXT, HERE)

    assert member(recorded, "preview") == {"id": "17", "email": "***"}
    assert stage.read(recorded, HERE) == TEXT


def test_there_is_no_excerpt_of_what_is_encrypted(store: Store) -> None:
    pipeline = Pipeline(Encrypted({"key": bytes(32)}), Offloaded(store, above=0, preview=Preview()))

    recorded = pipeline.write(TEXT, HERE)

    assert "preview" not in json.loads(recorded)
    assert pipeline.read(recorded, HERE) == TEXT


# -- directories ---------------------------------------------------------------------------


def test_files_are_found_again_when_the_directory_has_moved(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    recorded = Offloaded(Directory(before), above=0).write(TEXT, HERE)
    before.rename(after)

    assert Offloaded(Directory(after), above=0).read(recorded, HERE) == TEXT
    assert str(tmp_path) not in recorded


def test_an_execution_has_a_folder_that_a_person_can_find(tmp_path: Path) -> None:
    Offloaded(Directory(tmp_path), above=0).write(TEXT, HERE)

    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("order-17-abc-")
    assert only_file(tmp_path).name.startswith(HERE.operation_id)


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    Offloaded(Directory(tmp_path), above=0).write(TEXT, HERE)

    file = only_file(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    stage = Offloaded(Directory(tmp_path), above=0)
    recorded = stage.write(TEXT, HERE)
    file = only_file(tmp_path)
    file.unlink()

    with pytest.raises(SerializationError, match=rf"^{file} is missing: .* operation c0ffeec0ffee\. Restore it"):
        stage.read(recorded, HERE)


@pytest.mark.parametrize("content", [TEXT.replace("17", "18"), TEXT[:-1], TEXT + " ", ""])
def test_a_file_that_was_changed_is_named(tmp_path: Path, content: str) -> None:
    stage = Offloaded(Directory(tmp_path), above=0)
    recorded = stage.write(TEXT, HERE)
    file = only_file(tmp_path)
    file.write_text(content)

    with pytest.raises(SerializationError, match=file.name):
        stage.read(recorded, HERE)


def to_a_file(file: Path, aside: Path) -> None:
    file.rename(aside)
    file.symlink_to(aside)


def to_a_folder(file: Path, aside: Path) -> None:
    file.parent.rename(aside)
    file.parent.symlink_to(aside)


@pytest.mark.parametrize("put_link", [to_a_file, to_a_folder])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, put_link: Callable[[Path, Path], None]) -> None:
    directory = tmp_path / "texts"
    directory.mkdir()
    stage = Offloaded(Directory(directory), above=0)
    recorded = stage.write(TEXT, HERE)
    put_link(only_file(directory), tmp_path / "aside")

    with pytest.raises(SerializationError, match="symbolic link"):
        stage.read(recorded, HERE)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    stage = Offloaded(Directory(tmp_path), above=0)
    recorded = stage.write(TEXT, HERE)
    file = only_file(tmp_path)
    file.unlink()
    os.mkfifo(file)

    with pytest.raises(SerializationError, match="no regular file"):
        stage.read(recorded, HERE)


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_a_failure_before_the_file_is_whole_leaves_nothing_and_may_be_tried_again(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Offloaded(Directory(tmp_path), above=0)
    stage.write(TEXT, HERE)  # makes the folder
    files = {path for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(ServiceError, match=r"ENOSPC: .*No space left on device") as raised:
            stage.write(TEXT, HERE)

    assert raised.value.is_retryable
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == files
    assert stage.read(stage.write(TEXT, HERE), HERE) == TEXT


class KilledError(BaseException):
    """Stands for the end of the process."""


def test_a_crash_between_the_temporary_file_and_its_name_leaves_no_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Offloaded(Directory(tmp_path), above=0)

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        patch.setattr(os, "unlink", killed)  # a process that is dead doesn't clean up
        with pytest.raises(KilledError):
            stage.write(TEXT, HERE)

    left = only_file(tmp_path)
    assert left.name.startswith(".")
    assert left.name.endswith(".tmp")
    recorded = stage.write(TEXT, HERE)
    assert stage.read(recorded, HERE) == TEXT
    assert left.name not in recorded


def test_everything_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"file of {os.fstat(descriptor).st_size}")
        fsync(descriptor)

    def noted_rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append("rename")
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    directory = Directory(tmp_path)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)

    directory.put(b"four", HERE)

    assert done == ["directory", "file of 4", "rename", "directory"]


def test_a_directory_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no directory: create or mount it"):
        Directory(tmp_path / "missing")


def test_a_directory_that_went_away_may_come_back(tmp_path: Path) -> None:
    place = tmp_path / "mount"
    place.mkdir()
    stage = Offloaded(Directory(place), above=0)
    recorded = stage.write(TEXT, HERE)
    place.rename(tmp_path / "aside")

    for act in (partial(stage.read, recorded), partial(stage.write, TEXT)):
        with pytest.raises(ServiceError, match="ENOENT") as raised:
            act(HERE)
        assert raised.value.is_retryable


# -- S3 --------------------------------------------------------------------------------------


def test_an_object_has_a_key_that_a_person_can_find() -> None:
    bucket = Bucket()

    recorded = Offloaded(S3("texts", "v1/", client=bucket), above=0).write(TEXT, HERE)

    ((name, key),) = bucket.objects
    assert member(recorded, "uri") == f"s3://{name}/{key}"
    assert key.startswith("v1/order-17-abc-")
    assert f"/{HERE.operation_id}." in key


def test_a_missing_object_is_named() -> None:
    bucket = Bucket()
    stage = Offloaded(S3("texts", client=bucket), above=0)
    recorded = stage.write(TEXT, HERE)
    bucket.objects.clear()

    with pytest.raises(SerializationError, match=r"^s3://texts/order-17-abc-.* is missing: .*lifecycle rule"):
        stage.read(recorded, HERE)


@pytest.mark.parametrize("content", [TEXT.replace("17", "18"), TEXT[:-1], TEXT + " ", ""])
def test_an_object_that_was_changed_is_named(content: str) -> None:
    bucket = Bucket()
    stage = Offloaded(S3("texts", client=bucket), above=0)
    recorded = stage.write(TEXT, HERE)
    (key,) = bucket.objects
    bucket.objects[key] = content.encode()

    with pytest.raises(SerializationError, match=r"s3://texts/order-17-abc-"):
        stage.read(recorded, HERE)


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [
        (RefusedError("SlowDown", 503), True),
        (RefusedError("InternalError", 500), True),
        (RefusedError("AccessDenied", 403), False),
        (ConnectionError("no route"), True),
    ],
)
def test_what_s3_refuses_says_whether_another_try_may_succeed(error: Exception, is_retryable: bool) -> None:
    bucket = Bucket()
    stage = Offloaded(S3("texts", client=bucket), above=0)
    recorded = stage.write(TEXT, HERE)
    bucket.fails = error

    for act in (partial(stage.read, recorded), partial(stage.write, TEXT)):
        with pytest.raises(ServiceError, match="s3://texts/") as raised:
            act(HERE)
        assert raised.value.is_retryable is is_retryable


@pytest.mark.parametrize("bucket", ["", "s3://texts", "texts/v1"])
def test_what_is_no_name_of_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(UsageError, match="no name of a bucket"):
        S3(bucket, client=Bucket())
