from __future__ import annotations

import asyncio
import builtins
import json
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from importlib import import_module
from io import StringIO
from typing import ClassVar
from urllib.error import HTTPError, URLError

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import (
    BatchError,
    CallbackFailed,
    CallbackTimeout,
    ChildContextError,
    InvokeError,
    OperationError,
    PayloadTooLarge,
    SerializationError,
    ServiceError,
    StepError,
    StepInterrupted,
    StepTimeout,
    UsageError,
)
from everstep.failures import describe, restore, type_name
from everstep.protocol.shapes import ErrorObject

ClientError: type[Exception] = import_module("botocore.exceptions").ClientError  # botocore has no types


def raised(error: BaseException) -> BaseException:
    """The error as it is after it was raised and caught."""
    try:
        raise error
    except BaseException as caught:
        return caught


def replayed(recorded: ErrorObject) -> ErrorObject:
    """The error as a later process reads it."""
    return msgspec.json.decode(msgspec.json.encode(recorded), type=ErrorObject)


def caught(error: Exception, kind: type[OperationError] = StepError) -> OperationError:
    """What handler code catches for an error, on the first run; a replay is checked to give the same."""
    recorded = describe(raised(error))
    first, later = restore(recorded, kind), restore(replayed(recorded), kind)

    assert type(later) is type(first)
    assert (str(later), later.args, vars(later)) == (str(first), first.args, vars(first))
    return first


class Declined(Exception):
    """An ordinary exception of a user's: arguments with names, attributes, a message of its own."""

    runs: ClassVar = 0

    def __init__(self, code: int, *, reason: str) -> None:
        Declined.runs += 1
        super().__init__(f"declined with {code}: {reason}")
        self.code, self.reason = code, reason


class Renamed(KeyError):
    def __str__(self) -> str:
        return f"no such key: {self.args[0]}"


class Slotted(ValueError):
    __slots__ = ("code", "unset")

    def __init__(self, code: int) -> None:
        super().__init__("slotted")
        self.code = code


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


class Computed(Exception):
    """Its message is computed, and the names of a StepError's members are taken."""

    @property
    def message(self) -> str:
        raise AssertionError("no code of the class is run")

    @property
    def data(self) -> dict[str, int]:
        raise AssertionError("no code of the class is run")


class Guarded(Exception):
    """Everything that code of its own could run in."""

    ran: ClassVar[list[str]] = []

    def __new__(cls, first: int, second: int) -> Guarded:
        cls.ran.append("__new__")
        return super().__new__(cls, first, second)

    def __init__(self, first: int, second: int) -> None:
        self.ran.append("__init__")
        super().__init__(first, second)
        self.total = first + second

    def __init_subclass__(cls) -> None:
        cls.ran.append("__init_subclass__")

    def __setattr__(self, name: str, value: object) -> None:
        self.ran.append("__setattr__")
        super().__setattr__(name, value)


@dataclass(frozen=True)
class Frozen(Exception):
    code: int
    tags: list[str]


class Meta(type):
    pass


class Strange(Exception, metaclass=Meta):
    pass


class Outer:
    class Inner(LookupError):
        pass


class Rejected(StepError):
    """An operation error of a user's own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"rejected: {code}")
        self.code = code


# -- the class -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [StepError, ChildContextError, InvokeError, CallbackFailed, BatchError])
def test_what_is_caught_is_of_the_operations_class_and_of_the_original_one(kind: type[OperationError]) -> None:
    error = caught(Declined(7, reason="no funds"), kind)

    assert isinstance(error, kind)
    assert isinstance(error, Declined)


def test_except_value_error_works() -> None:
    with pytest.raises(ValueError, match="x"):
        raise caught(ValueError("x"))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("k"),
        IndexError(),
        ZeroDivisionError("division by zero"),
        TimeoutError(),
        TimeoutError("late"),
        ConnectionResetError(104, "reset"),
        FileNotFoundError(2, "no such file", "a.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
        ImportError("no module", name="nothing", path="/nowhere"),
        SyntaxError("bad", ("a.py", 3, 7, "def")),
        AttributeError("no attribute", name="x", obj=3),
        NameError("no name", name="x"),
        RecursionError("deep"),
        NotImplementedError(),
        json.JSONDecodeError("bad", "{", 1),
        asyncio.IncompleteReadError(b"", 4),
        URLError("no route"),
        HTTPError("http://x", 404, "Not Found", Message(), None),
        ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "Invoke"),
        Declined(7, reason="no funds"),
        Renamed("k"),
        Slotted(3),
        Mute("m"),
        Guarded(1, 2),
        Frozen(1, ["a"]),
        Outer.Inner("in"),
        UsageError("use it well"),
        ServiceError("slow down", code="Throttling", status=429, is_retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_importable_class_is_caught_as_itself(error: Exception) -> None:
    found = caught(error)

    assert isinstance(found, type(error))
    assert isinstance(found, StepError)
    assert found.error_type == type_name(type(error))
    assert "".join(traceback.format_exception(found))


def every_builtin_exception() -> list[type[Exception]]:
    found = [kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return sorted(set(found), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("original", every_builtin_exception())
def test_every_built_in_exception_can_be_caught_and_printed(original: type[Exception]) -> None:
    recorded = ErrorObject(error_type=type_name(original), error_message="why", stack_trace=["  here"])

    error = restore(recorded, StepError)

    assert isinstance(error, StepError)
    assert isinstance(error, original) or issubclass(original, ExceptionGroup | StopIteration | StopAsyncIteration)
    assert str(error) == error.message == "why"
    assert error.args == ("why",)
    assert repr(error)
    assert "here" in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("original", [StopIteration, StopAsyncIteration])
def test_what_would_end_a_loop_by_being_raised_is_a_plain_step_error(original: type[Exception]) -> None:
    async def step() -> None:
        raise restore(ErrorObject(error_type=type_name(original), error_message="x"), StepError)

    with pytest.raises(StepError, match="x"):
        asyncio.run(step())


def test_a_group_is_a_plain_step_error_for_it_needs_its_members() -> None:
    error = caught(ExceptionGroup("two failed", [ValueError("one"), KeyError("two")]))

    assert type(error) is StepError
    assert (error.error_type, error.message) == ("ExceptionGroup", "two failed (2 sub-exceptions)")


def test_a_class_with_a_metaclass_is_a_plain_step_error_for_its_metaclass_would_run() -> None:
    assert type(caught(Strange("x"))) is StepError


def test_a_class_defined_inside_a_function_is_a_plain_step_error() -> None:
    class Local(Exception):
        pass

    error = caught(Local("x"))

    assert type(error) is StepError
    assert error.error_type == f"{__name__}.test_a_class_defined_inside_a_function_is_a_plain_step_error.<locals>.Local"
    assert error.message == "x"


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        ".",
        "..ValueError",
        "Unheard",
        "shop.Declined",
        "java.lang.IllegalStateException",
        "builtins",
        "builtins.len",
        "builtins.KeyboardInterrupt",
        "asyncio.exceptions.CancelledError",
        "everstep.failures.describe.__class__",
        "json.decoder",
        "sys.modules",
    ],
)
def test_a_name_that_is_no_imported_exception_class_gives_the_plain_error(name: str | None) -> None:
    error = restore(ErrorObject(error_type=name, error_message="x"), StepError)

    assert type(error) is StepError
    assert error.error_type == name


def test_nothing_is_imported_for_a_recorded_name() -> None:
    sys.modules.pop("this", None)

    restore(ErrorObject(error_type="this.Zen", error_message="x"), StepError)

    assert "this" not in sys.modules


def test_no_code_of_the_class_is_run() -> None:
    recorded = describe(raised(Guarded(1, 2)))
    Guarded.ran.clear()

    error = restore(replayed(recorded), ChildContextError)

    assert isinstance(error, Guarded)
    assert Guarded.ran == []
    assert error.args == (1, 2)
    assert error.total == 3


def test_required_arguments_of_init_are_not_needed() -> None:
    recorded = describe(raised(Declined(7, reason="no funds")))
    runs = Declined.runs

    error = restore(replayed(recorded), StepError)

    assert Declined.runs == runs
    assert isinstance(error, Declined)
    assert (error.code, error.reason) == (7, "no funds")


def test_the_combined_class_is_made_once_and_named_like_the_operations() -> None:
    first, second = caught(Declined(1, reason="a")), caught(Declined(2, reason="b"))

    assert type(first) is type(second)
    assert type_name(type(first)) == "everstep.errors.StepError"


def test_a_subclass_of_the_operations_class_is_that_class() -> None:
    assert type(restore(ErrorObject(error_type="everstep.errors.StepInterrupted"), StepError)) is StepInterrupted
    assert type(caught(StepTimeout("late"))) is StepTimeout


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("everstep.errors.InvokeError", InvokeError),
        ("everstep.errors.StepTimeout", StepTimeout),
        ("Callback.Timeout", CallbackTimeout),
        ("Callback.Heartbeat", CallbackTimeout),
    ],
)
def test_an_inner_operations_class_is_caught_around_the_outer_one(name: str, cls: type[OperationError]) -> None:
    error = restore(ErrorObject(error_type=name, error_message="x"), ChildContextError)

    assert isinstance(error, ChildContextError)
    assert isinstance(error, cls)
    assert (error.error_type, error.message) == (name, "x")


@pytest.mark.parametrize("error", [StepTimeout("late"), CallbackTimeout("late")])
def test_what_took_too_long_is_a_timeout_error(error: OperationError) -> None:
    assert isinstance(error, TimeoutError)
    assert isinstance(caught(error), TimeoutError)


def test_an_operation_error_of_the_users_keeps_its_class_and_attributes() -> None:
    error = caught(Rejected(7))

    assert type(error) is Rejected
    assert (error.message, error.code) == ("rejected: 7", 7)


# -- message, args and attributes ----------------------------------------------------------


@given(st.text(st.characters()))
def test_the_message_is_that_of_the_original(message: str) -> None:
    error = caught(ValueError(message))

    assert error.message == message.encode("utf-8", "backslashreplace").decode()
    assert str(error) == (error.message or "ValueError")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
attribute_names = st.sampled_from(["code", "detail", "größe", "_private", "status"])


@given(st.lists(json_values, max_size=3), st.dictionaries(attribute_names, json_values, max_size=3))
def test_args_and_attributes_that_json_can_hold_come_back(args: list[object], attributes: dict[str, object]) -> None:
    original = LookupError(*args)
    vars(original).update(attributes)

    error = caught(original)

    assert error.args == original.args
    assert {name: value for name, value in vars(error).items() if name in attributes} == attributes


def test_an_error_that_is_no_more_than_its_message_is_recorded_without_data() -> None:
    assert describe(ValueError("x")).error_data is None
    assert describe(ValueError()).error_data is None


@pytest.mark.parametrize("odd", [object(), (1, 2), datetime(2026, 1, 1), float("nan"), {1: 2}, b"x", {1, 2}, lambda: None])
def test_an_attribute_that_json_would_change_is_left_out_and_the_others_are_not(odd: object) -> None:
    original = ValueError("x")
    vars(original).update(odd=odd, even=2)

    error = caught(original)

    assert not hasattr(error, "odd")
    assert vars(error)["even"] == 2


@pytest.mark.parametrize("odd", [object(), (1, 2), b"x"])
def test_args_that_json_would_change_are_just_the_message(odd: object) -> None:
    assert caught(ValueError("x", odd)).args == (str(ValueError("x", odd)),)


def test_a_value_whose_comparison_fails_is_left_out() -> None:
    class Picky:
        def __eq__(self, other: object) -> bool:
            raise TypeError("no")

        def __hash__(self) -> int:
            return 1

    original = ValueError("x")
    vars(original).update(picky=Picky(), even=2)

    assert json.loads(describe(original).error_data or "") == {"args": None, "state": {"even": 2}}


def test_what_a_built_in_class_keeps_outside_its_dict_comes_back() -> None:
    missing = caught(FileNotFoundError(2, "no such file", "a.txt"))
    broken = caught(SyntaxError("bad", ("a.py", 3, 7, "def")))
    undecodable = caught(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))

    assert isinstance(missing, OSError)
    assert (missing.errno, missing.strerror, missing.filename) == (2, "no such file", "a.txt")
    assert isinstance(broken, SyntaxError)
    assert (broken.msg, broken.filename, broken.lineno) == ("bad", "a.py", 3)
    assert isinstance(undecodable, UnicodeDecodeError)
    assert (undecodable.encoding, undecodable.reason) == ("utf-8", "invalid")


def test_slots_come_back() -> None:
    error = caught(Slotted(3))

    assert isinstance(error, Slotted)
    assert error.code == 3
    assert not hasattr(error, "unset")


def test_a_frozen_dataclass_comes_back() -> None:
    error = caught(Frozen(1, ["a"]))

    assert isinstance(error, Frozen)
    assert (error.code, error.tags, error.args) == (1, ["a"], (1, ["a"]))


def test_an_http_error_has_its_code() -> None:
    error = caught(HTTPError("http://x", 503, "Unavailable", Message(), None))

    assert isinstance(error, HTTPError)
    assert error.code == 503


def test_a_boto_error_has_its_response() -> None:
    error = caught(ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "Invoke"))

    assert isinstance(error, ClientError)
    assert vars(error)["response"] == {"Error": {"Code": "Throttling", "Message": "slow"}}


def test_the_members_of_an_operation_error_win_over_the_classs_own() -> None:
    error = caught(Computed("why"))

    assert isinstance(error, Computed)
    assert error.message == str(error) == "why"
    assert error.data is None


def test_a_message_of_the_classs_own_making_is_recorded_as_made() -> None:
    error = caught(Renamed("k"))

    assert str(error) == "no such key: k"
    assert error.args == ("k",)


def test_a_message_that_cannot_be_made_does_not_hide_the_failure() -> None:
    error = caught(Mute("m"))

    assert isinstance(error, Mute)
    assert error.message == "<Mute whose message can't be read: RuntimeError>"


def test_a_huge_message_is_cut_and_nothing_else_is_lost() -> None:
    original = ValueError("x" * 1_000_000)
    vars(original)["code"] = 7

    error = caught(original)

    assert len(error.message) == 16_384
    assert error.message.endswith("x…")
    assert vars(error)["code"] == 7


def test_attributes_too_large_to_be_recorded_are_left_out() -> None:
    original = ValueError("x")
    vars(original)["page"] = "y" * 10_000

    assert describe(original).error_data is None


@pytest.mark.parametrize(
    "error", [ValueError("\ud800"), StepError("\ud800"), StepError("x", "T", "\ud800", ["\ud800"]), KeyError("\ud800")]
)
def test_what_utf8_cannot_hold_is_spelled_out(error: Exception) -> None:
    assert "\\ud800" in msgspec.json.encode(describe(error)).decode()


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "42",
        '{"state": {"code": 1}}',
        '{"args": 3}',
        '{"args": [1], "state": [1]}',
        '{"args": null, "state": {"add_note": 1, "with_traceback": 2, "args": 3, "__notes__": 4, "__class__": 5}}',
        '{"args": null, "state": {"message": 6, "error_type": 7, "data": 8, "stack_trace": 9}}',
        '{"args": null, "state": {"errno": {}, "characters_written": "x", "start": "x", "__dict__": 1}}',
    ],
)
@pytest.mark.parametrize("kind", ["ValueError", "OSError", "UnicodeDecodeError", "BlockingIOError"])
def test_data_that_somebody_else_wrote_does_no_harm(data: str, kind: str) -> None:
    error = restore(ErrorObject(error_type=kind, error_message="x", error_data=data, stack_trace=["  here"]), CallbackFailed)

    assert (error.message, error.data, error.stack_trace, error.args) == ("x", data, ("  here",), ("x",))
    error.add_note("more")
    assert error.with_traceback(None) is error
    assert "here" in "".join(traceback.format_exception(error))


# -- errors of operations, again -------------------------------------------------------------


def test_a_failed_operation_inside_is_recorded_as_what_it_was_recorded_as_before() -> None:
    recorded = describe(raised(Declined(7, reason="no funds")))

    inner = raised(restore(recorded, StepError))

    assert describe(inner) == recorded


def test_however_deep_it_is_wrapped_an_error_stays_of_its_class() -> None:
    recorded = describe(raised(Declined(7, reason="no funds")))
    for kind in (StepError, ChildContextError, ChildContextError, InvokeError):
        error = raised(restore(replayed(recorded), kind))
        recorded = describe(error)

        assert isinstance(error, kind)
        assert isinstance(error, Declined)
        assert error.code == 7


@pytest.mark.parametrize(
    "error",
    [StepInterrupted("cut off"), StepTimeout("late"), StepError(), StepError("plain"), OperationError("x", None, "data", ["line"])],
    ids=repr,
)
def test_an_operation_error_of_our_own_is_recorded_under_its_class(error: OperationError) -> None:
    recorded = describe(error)

    assert recorded.error_type == type_name(type(error))
    assert recorded.error_message == error.message
    assert recorded.error_data == error.data


def test_errors_about_values_keep_their_figures() -> None:
    error = caught(PayloadTooLarge("the result", 2_000, 1_000, "Store it elsewhere."))

    assert isinstance(error, PayloadTooLarge)
    assert (error.what, error.size, error.limit) == ("the result", 2_000, 1_000)


def test_nothing_recorded_gives_an_error_without_words() -> None:
    error = restore(None, StepError)

    assert type(error) is StepError
    assert (str(error), error.args, error.error_type, error.data, error.stack_trace) == ("", (), None, None, ())


# -- the stack ----------------------------------------------------------------------------------


def fail() -> None:
    raise ValueError("x")


def frames(recorded: ErrorObject) -> str:
    return "\n".join(recorded.stack_trace or ())


def test_the_stack_is_recorded_outermost_first_with_source_lines() -> None:
    def outer() -> None:
        fail()

    with pytest.raises(ValueError, match="x") as info:
        outer()
    recorded = describe(info.value)

    assert [line.split(" in ")[1].split("\n")[0] for line in recorded.stack_trace or ()][-2:] == ["outer", "fail"]
    assert 'raise ValueError("x")' in frames(recorded)
    assert __file__ in frames(recorded)


def through_our_code(body: Callable[[], None]) -> BaseException:
    """What `body` raises when frames of Everstep stand around it, and in it."""
    source = "def run(body):\n    body()\n"
    names: dict[str, Callable[[Callable[[], None]], None]] = {}
    exec(compile(source, StepError.__init__.__code__.co_filename, "exec"), names)
    try:
        names["run"](body)
    except BaseException as error:
        return error
    raise AssertionError


def test_our_own_frames_are_left_out() -> None:
    recorded = describe(through_our_code(fail))

    assert "everstep/errors.py" not in frames(recorded).replace("\\", "/")
    assert "in fail" in frames(recorded)


def test_the_frames_of_the_thread_below_a_body_are_left_out() -> None:
    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(fail).exception()

    assert error is not None
    assert [line.split(" in ")[1].split("\n")[0] for line in describe(error).stack_trace or ()] == ["fail"]


def test_an_error_that_was_never_raised_has_no_stack() -> None:
    assert describe(ValueError("x")).stack_trace is None


def test_an_error_about_a_value_has_no_stack() -> None:
    assert describe(raised(SerializationError("x"))).stack_trace is None


def test_of_a_deep_stack_the_innermost_frames_are_kept() -> None:
    def dig(depth: int) -> None:
        fail() if depth == 0 else dig_on(depth)

    def dig_on(depth: int) -> None:
        dig(depth - 1)

    with pytest.raises(ValueError, match="x") as info:
        dig(200)
    recorded = describe(info.value)

    assert len(recorded.stack_trace or ()) == 32
    assert recorded.stack_trace is not None
    assert "in fail" in recorded.stack_trace[-1]


def test_a_groups_members_are_in_its_stack() -> None:
    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(fail))
            group.create_task(asyncio.to_thread(fail))

    with pytest.raises(ExceptionGroup) as info:
        asyncio.run(handler())
    recorded = describe(info.value)

    assert recorded.error_type == "ExceptionGroup"
    assert "in handler" in frames(recorded)
    assert "ValueError: x" in frames(recorded)
    assert "in fail" in frames(recorded)


def test_an_endless_line_is_cut() -> None:
    names: dict[str, Callable[[], None]] = {}
    exec(compile("def fail():\n    raise ValueError('x')\n", "y" * 100_000, "exec"), names)

    with pytest.raises(ValueError, match="x") as info:
        names["fail"]()

    assert max(map(len, describe(info.value).stack_trace or ())) <= 1_000


def test_a_restored_error_prints_the_recorded_stack() -> None:
    error = caught(Declined(7, reason="no funds"))
    printed = StringIO()

    traceback.print_exception(error, file=printed)

    assert "everstep.errors.StepError: declined with 7: no funds" in printed.getvalue()
    assert "raise error" in printed.getvalue()
