from __future__ import annotations

import functools
import math
import re
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, Literal, NamedTuple, NotRequired, Self, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everstep.errors import SerializationError
from everstep.serdes import PLAIN, JsonSerdes, parameter_annotation, result_serdes, serdes_for

if TYPE_CHECKING:
    from decimal import Context as Missing  # a name that only type checkers know

T = TypeVar("T")

texts = st.text()
floats = st.floats(allow_nan=False, allow_infinity=False)
datetimes = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30))]) | st.none())
keys = st.sampled_from(["a", "b", "ü", ""])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 9


class Kind(StrEnum):
    CARD = "card"
    CASH = "cash"


@dataclass
class Item:
    name: str
    price: Decimal
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    id: UUID
    items: list[Item]
    colour: Colour
    placed: datetime
    due: date | None = None
    wait: timedelta = timedelta(0)
    notes: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])


class Invoice(msgspec.Struct):
    order: Order | None
    raw: bytes
    level: Level = Level.LOW


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    name: str


class Address(TypedDict):
    street: str
    number: NotRequired[int]


class Point(NamedTuple):
    x: float
    y: float = 0


@attrs.define
class Parcel:
    weight: float
    to: Address
    parts: tuple[int, ...] = ()


@attrs.frozen
class Crate:
    parcels: list[Parcel]


@dataclass
class Page(Generic[T]):
    entries: list[T]
    following: Page[T] | None = None


class Line(pydantic.BaseModel):
    sku: str
    count: int = 1
    at: datetime | None = None


class Basket(pydantic.BaseModel):
    lines: list[Line]
    by_name: dict[str, Line] = {}
    best: Line | None = None
    price: Decimal = Decimal(0)
    seen: set[int] = set()


class Aliased(pydantic.BaseModel):
    first_name: str = pydantic.Field(alias="firstName")
    last_name: str = pydantic.Field(default="", validation_alias="lastName", serialization_alias="LastName")


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, frozen=True)

    at: datetime
    pair: tuple[int, str] = (0, "")


class Codes(pydantic.RootModel[list[int]]):
    pass


class Approved(pydantic.BaseModel):
    kind: Literal["approved"] = "approved"
    by: str


class Refused(pydantic.BaseModel):
    kind: Literal["refused"] = "refused"
    why: Line


@pydantic.dataclasses.dataclass
class Checked:
    positive: pydantic.PositiveInt
    at: date | None = None


class UserId(str):
    """A string with a name, as typing.NewType's predecessors were written."""


class Metres(float):
    pass


items = st.builds(Item, texts, st.decimals(allow_nan=False, allow_infinity=False), st.frozensets(texts, max_size=3))
orders = st.builds(
    Order,
    st.uuids(),
    st.lists(items, max_size=3),
    st.sampled_from(Colour),
    datetimes,
    st.none() | st.dates(),
    st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    st.dictionaries(texts, st.tuples(st.integers(), texts), max_size=3),
)
lines = st.builds(Line, sku=texts, count=st.integers(-(2**63), 2**63), at=st.none() | datetimes)


def written_and_read(value: object, annotation: object) -> object:
    serdes = serdes_for(annotation)
    return serdes.deserialize(serdes.serialize(value))


# -- round trips ----------------------------------------------------------------------------


@given(plain)
def test_without_an_annotation_jsons_own_types_come_back(value: object) -> None:
    assert written_and_read(value, object) == value


@given(plain)
def test_every_text_is_plain_json(value: object) -> None:
    text = PLAIN.serialize(value)

    assert msgspec.json.decode(text) == value
    text.encode()


ROUND_TRIPS: list[tuple[object, st.SearchStrategy[object]]] = [
    (int, st.integers()),
    (float, floats),
    (bool, st.booleans()),
    (str, texts),
    (bytes, st.binary()),
    (bytearray, st.binary().map(bytearray)),
    (None, st.none()),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (datetime, datetimes),
    (date, st.dates()),
    (timedelta, st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000))),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Kind, st.sampled_from(Kind)),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (set[int], st.sets(st.integers())),
    (frozenset[str], st.frozensets(texts)),
    (tuple[int, ...], st.lists(st.integers()).map(tuple)),
    (tuple[int, str, bytes], st.tuples(st.integers(), texts, st.binary())),
    (list[tuple[date, Decimal]], st.lists(st.tuples(st.dates(), st.decimals(allow_nan=False)), max_size=3)),
    (dict[str, list[set[int]]], st.dictionaries(texts, st.lists(st.sets(st.integers(), max_size=3), max_size=3), max_size=3)),
    (dict[int, str], st.dictionaries(st.integers(-(2**63), 2**63 - 1), texts)),
    (dict[UUID, int], st.dictionaries(st.uuids(), st.integers())),
    (dict[date, int], st.dictionaries(st.dates(), st.integers())),
    (dict[Kind, int], st.dictionaries(st.sampled_from(Kind), st.integers())),
    (Sequence[int], st.lists(st.integers())),
    (Mapping[str, int], st.dictionaries(texts, st.integers())),
    (int | None, st.none() | st.integers()),
    (int | str | None, st.none() | st.integers() | texts),
    (list[UUID | None], st.lists(st.none() | st.uuids())),
    (Item, items),
    (Order, orders),
    (dict[str, Order | None], st.dictionaries(texts, st.none() | orders, max_size=2)),
    (Invoice, st.builds(Invoice, st.none() | orders, st.binary(), st.sampled_from(Level))),
    (Cat | Dog, st.builds(Cat, st.integers()) | st.builds(Dog, texts)),
    (Address, st.fixed_dictionaries({"street": texts}, optional={"number": st.integers()})),
    (Point, st.builds(Point, floats, floats)),
    (Parcel, st.builds(Parcel, floats, st.just({"street": "s"}), st.lists(st.integers()).map(tuple))),
    (Crate, st.builds(Crate, st.lists(st.builds(Parcel, floats, st.just({"street": "s"}))))),
    (Page[Item], st.builds(Page[Item], st.lists(items, max_size=2), st.none() | st.builds(Page[Item], st.lists(items, max_size=2)))),
    (Page[set[int]], st.builds(Page[set[int]], st.lists(st.sets(st.integers()), max_size=2))),
    (Annotated[int, msgspec.Meta(ge=0)], st.integers(min_value=0)),
    (Line, lines),
    (Line | None, st.none() | lines),
    (list[Line], st.lists(lines, max_size=3)),
    (dict[str, Line], st.dictionaries(texts, lines, max_size=3)),
    (tuple[Line, int], st.tuples(lines, st.integers())),
    (Page[Line], st.builds(Page[Line], st.lists(lines, max_size=2))),
    (
        Basket,
        st.builds(
            Basket,
            lines=st.lists(lines, max_size=2),
            by_name=st.dictionaries(texts, lines, max_size=2),
            best=st.none() | lines,
            price=st.decimals(allow_nan=False, allow_infinity=False),
            seen=st.sets(st.integers(-(2**60), 2**60)),
        ),
    ),
    (Aliased, st.builds(Aliased, firstName=texts, lastName=texts)),
    (list[Aliased], st.lists(st.builds(Aliased, firstName=texts, lastName=texts), max_size=2)),
    (Strict, st.builds(Strict, at=datetimes, pair=st.tuples(st.integers(), texts))),
    (set[Strict], st.sets(st.builds(Strict, at=datetimes), max_size=2)),
    (Codes, st.lists(st.integers()).map(Codes)),
    (Approved | Refused, st.builds(Approved, by=texts) | st.builds(Refused, why=lines)),
    (
        list[Annotated[Approved | Refused, pydantic.Field(discriminator="kind")]],
        st.lists(st.builds(Approved, by=texts) | st.builds(Refused, why=lines), max_size=3),
    ),
    (Line | str | None, st.none() | texts | lines),
    (Checked, st.builds(Checked, st.integers(1, 9), st.none() | st.dates())),
    (UserId, texts.map(UserId)),
    (Metres, floats.map(Metres)),
    (list[UserId], st.lists(texts.map(UserId))),
    (dict[str, object], st.dictionaries(texts, st.none() | texts | st.lists(st.booleans()))),
]


@pytest.mark.parametrize(("annotation", "values"), ROUND_TRIPS, ids=[str(annotation) for annotation, _ in ROUND_TRIPS])
def test_an_annotated_value_comes_back_as_what_it_was(annotation: object, values: st.SearchStrategy[object]) -> None:
    @settings(max_examples=20)
    @given(values)
    def check(value: object) -> None:
        read = written_and_read(value, annotation)

        assert read == value
        assert type(read) is type(value)

    check()


def test_pydantic_models_are_written_as_they_are_configured_and_read_by_name_or_alias() -> None:
    class Camel(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(serialize_by_alias=True, alias_generator=lambda name: name.title().replace("_", ""))

        first_name: str

    serdes: JsonSerdes[object] = JsonSerdes(Camel)
    ada = Camel.model_validate({"FirstName": "Ada"})

    assert PLAIN.serialize(Aliased(firstName="Ada")) == '{"first_name":"Ada","last_name":""}'
    assert PLAIN.serialize(ada) == '{"FirstName":"Ada"}'
    assert serdes.deserialize('{"FirstName":"Ada"}') == serdes.deserialize('{"first_name":"Ada"}') == ada


def test_a_subclass_of_a_plain_type_is_written_as_that_type() -> None:
    class Count(int):
        pass

    assert PLAIN.serialize([UserId("u"), Metres(1.5), Count(3), True]) == '["u",1.5,3,true]'


def test_a_model_is_written_the_same_wherever_it_stands() -> None:
    line = Line(sku="x")

    assert PLAIN.serialize([line, {"in": line}]) == f'[{PLAIN.serialize(line)},{{"in":{PLAIN.serialize(line)}}}]'


# -- what can't be written --------------------------------------------------------------------


class Handle:
    def __init__(self) -> None:
        self.socket = object()


class Obstinate(pydantic.BaseModel):
    @pydantic.model_serializer
    def refuse(self) -> dict[str, str]:
        raise RuntimeError("out of order")


ring: list[object] = []
ring.append(ring)
loop: dict[str, object] = {}
loop["self"] = [loop]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "a value of type object can't be written as JSON: there is no JSON for a builtins.object"),
        ([1, Handle()], f"a value of type list can't be written as JSON: there is no JSON for a {__name__}.Handle"),
        ({"a": {"b": 1j}}, "there is no JSON for a builtins.complex"),
        (Page([Handle()]), f"a value of type Page can't be written as JSON: there is no JSON for a {__name__}.Handle"),
        (range(3), "there is no JSON for a builtins.range"),
        (iter([1]), "there is no JSON for a builtins.list_iterator"),
        (len, "there is no JSON for a builtins.builtin_function_or_method"),
        (Order, "there is no JSON for a builtins.type"),
        (Line, "there is no JSON for a pydantic."),
        (ValueError("x"), "there is no JSON for a builtins.ValueError"),
        (Path("x"), "there is no JSON for a pathlib."),
        ({(1, 2): 3}, "an object's key can't be a builtins.tuple"),
        ({None: 3}, "an object's key can't be a builtins.NoneType"),
        ({True: 3}, "an object's key can't be a builtins.bool"),
        ("\ud800", "surrogates not allowed"),
        (ring, "recursion"),
        (loop, "recursion"),
        (10**5000, "a value of type int can't be written as JSON"),
        (Obstinate(), "a value of type Obstinate can't be written as JSON"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_json_is_refused_with_its_type_and_advice(value: object, said: str) -> None:
    with pytest.raises(SerializationError) as refused:
        PLAIN.serialize(value)

    assert said in str(refused.value)
    assert "give the operation a `serdes`" in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        -math.nan,
        [1, [2, [math.nan]]],
        {"a": {"b": math.inf}},
        {"a": None, "b": math.nan},
        (1.0, math.nan),
        {math.nan},
        Point(math.nan),
        Page([math.inf]),
        Parcel(math.nan, {"street": ""}),
        {"invoice": Invoice(None, b""), "rate": math.nan},
        msgspec.defstruct("Reading", [("value", float)])(math.nan),
        Metres(math.nan),
        pydantic.create_model("Reading", value=(float, ...))(value=math.nan),
        [2**70, math.nan],
        [b"\xcb\x7f\xff", math.nan],
    ],
    ids=repr,
)
def test_numbers_that_json_does_not_have_are_refused_and_never_become_null(value: object) -> None:
    with pytest.raises(SerializationError, match="NaN or an infinity"):
        PLAIN.serialize(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [None, 1.5, "null"],
        {"null": -0.0},
        [None, b"\xcb\x7f\xff\xff\xff\xff\xff\xff\xff"],
        [None, 0xCB7FF00000000000],
        [None, 2**70, 1e308],
        [None, Decimal("NaN")],
        {"rate": None, "big": sys.float_info.max, "small": sys.float_info.min},
        [None, Order(UUID(int=1), [], Colour.RED, datetime(2026, 1, 1, tzinfo=UTC))],
    ],
    ids=repr,
)
def test_a_null_that_is_meant_is_written(value: object) -> None:
    assert "null" in PLAIN.serialize(value)


@given(plain)
def test_only_numbers_that_are_not_finite_are_refused(value: object) -> None:
    PLAIN.serialize([None, value])


def test_json_that_is_given_as_it_is_is_not_looked_into() -> None:
    assert PLAIN.serialize([msgspec.Raw(b"[null]")]) == "[[null]]"


# -- what can't be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "text", "said"),
    [
        (int, '"5"', "recorded text can't be read as int: Expected `int`, got `str`"),
        (int, "1.0", "can't be read as int"),
        (Order, "{}", "recorded text can't be read as Order: Object missing required field"),
        (Line, '{"count": "many"}', "recorded text can't be read as Line: 2 validation errors"),
        (list[Line], "[{}]", "can't be read as list"),
        (object, "{", "can't be read as object"),
        (object, "", "can't be read as object"),
        (Item | Order, "{}", "more than one dataclass"),
        (Iterator[int], "[1]", "can't be read as"),
        (Handle, "{}", f"there is no {__name__}.Handle in JSON"),
        (UserId, "5", f"there is no {__name__}.UserId in JSON"),
        (Callable[[], int], "1", "can't be read as"),
        (Line | Handle, "{}", "can't be read as"),
    ],
)
def test_text_of_another_type_is_refused_with_the_type_and_what_is_wrong(annotation: object, text: str, said: str) -> None:
    serdes: JsonSerdes[object] = JsonSerdes(annotation)

    for _ in range(2):  # again, when the reader is made
        with pytest.raises(SerializationError) as refused:
            serdes.deserialize(text)

        assert said in str(refused.value)


# -- what functions return -----------------------------------------------------------------------


class Promise:
    def __await__(self) -> Iterator[int]:
        return iter([1])


def nothing_said() -> int:
    return 1


nothing_said.__annotations__.clear()  # as if it had none; type checkers ask for them


def none() -> None: ...
def order() -> Order:
    raise NotImplementedError


async def order_later() -> Order:
    raise NotImplementedError


def optional() -> list[Order | None] | None:
    return None


def awaitable() -> Awaitable[set[int]]:
    raise NotImplementedError


def coroutine() -> Coroutine[object, object, Line]:
    raise NotImplementedError


def promise() -> Promise:
    raise NotImplementedError


def listed(*numbers: int) -> list[Order]:
    raise NotImplementedError


def anything(value: T) -> T:
    return value


def unheard_of(handle: Missing) -> Missing:

    raise NotImplementedError


def half_heard_of(handle: Missing, order: Order) -> Order:
    raise NotImplementedError


class Shop:
    def find(self) -> Order:
        raise NotImplementedError

    @classmethod
    def open(cls) -> set[int]:
        raise NotImplementedError

    @staticmethod
    def close() -> Line:
        raise NotImplementedError

    async def __call__(self) -> Order:

        raise NotImplementedError


class Silent:
    def __call__(self, *args: object) -> int:
        return 1

    __call__.__annotations__.clear()


@dataclass
class Loaded:
    name: str

    @classmethod
    def load(cls, name: str) -> Self:
        return cls(name)

    def renamed(self, name: str) -> Self:
        return type(self)(name)


class Reloaded(Loaded):
    pass


def logged(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    @functools.wraps(function)
    async def wrapper(*args: object) -> T:
        return await function(*args)

    return wrapper


@logged
async def first_logged() -> Order:
    raise NotImplementedError


@logged
async def second_logged() -> Line:
    raise NotImplementedError


@functools.cache
def remembered() -> Order:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "annotation"),
    [
        (nothing_said, object),
        (none, type(None)),
        (order, Order),
        (order_later, Order),
        (optional, list[Order | None] | None),
        (awaitable, set[int]),
        (coroutine, Line),
        (unheard_of, object),
        (half_heard_of, Order),
        (Shop.find, Order),
        (Shop().find, Order),
        (Shop.open, set[int]),
        (Shop().close, Line),
        (Shop(), Order),
        (Silent(), object),
        (Loaded.load, Loaded),
        (Reloaded.load, Reloaded),
        (Reloaded("x").renamed, Reloaded),
        (Order, Order),
        (Line, Line),
        (int, int),
        (functools.partial(order_later), Order),
        (functools.partial(functools.partial(listed, 1), 2), list[Order]),
        (functools.partial(Shop()), Order),
        (functools.partial(Order), Order),
        (first_logged, Order),
        (second_logged, Line),
        (remembered, Order),
        (lambda: 1, object),
        (len, object),
        ("".join, object),
        (time.sleep, object),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value)),  # a test is called the same in every process
)
def test_a_functions_result_is_read_as_its_return_annotation(function: Callable[..., object], annotation: object) -> None:
    for _ in range(2):  # the first time, and from then on
        assert result_serdes(function).annotation == annotation


def test_an_awaitable_that_does_not_say_what_it_gives_gives_anything() -> None:
    assert result_serdes(promise) is PLAIN


def test_a_type_variable_stands_for_anything() -> None:
    assert result_serdes(anything).deserialize('{"a": [1]}') == {"a": [1]}


def test_a_function_without_an_annotation_has_the_plain_serdes() -> None:
    assert result_serdes(nothing_said) is PLAIN


def test_the_serdes_of_a_function_is_made_once() -> None:
    assert result_serdes(order) is result_serdes(order_later) is serdes_for(Order)


def test_functions_made_by_one_decorator_keep_their_own_types() -> None:
    def step_of(kind: type[object]) -> Callable[..., Awaitable[object]]:
        async def step() -> object: ...

        step.__annotations__["return"] = kind
        return logged(step)

    made = {kind: step_of(kind) for kind in (Order, Line, int, str)}

    assert {kind: result_serdes(step).annotation for kind, step in made.items()} == {kind: kind for kind in made}


def test_a_closure_has_the_type_that_it_was_made_with() -> None:
    namespace: dict[str, Callable[[object], Callable[[], object]]] = {}
    exec(compile("def make(kind):\n    def step() -> kind: ...\n    return step\n", "shop.py", "exec", dont_inherit=True), {}, namespace)
    make = namespace["make"]

    made = [(kind, make(kind)) for kind in (Order, list[Line], Order, Annotated[int, []])]

    assert [result_serdes(step).annotation for _, step in made] == [kind for kind, _ in made]


def test_a_postponed_annotation_may_name_a_class_of_the_enclosing_function() -> None:
    def make() -> tuple[type[object], Callable[[], object]]:
        @dataclass
        class Local:
            value: int

        def step() -> Local:
            return Local(1)

        return Local, step

    first, first_step = make()
    second, second_step = make()

    assert result_serdes(first_step).annotation is first
    assert result_serdes(second_step).annotation is second


def test_equal_functions_of_two_modules_keep_their_own_types() -> None:
    source = "class Order: ...\ndef find() -> Order: ...\n"
    modules: list[dict[str, Callable[..., object]]] = [{}, {}]
    for module in modules:
        exec(compile(source, "shop.py", "exec"), module)

    kinds = [result_serdes(module["find"]).annotation for module in modules]

    assert modules[0]["find"].__code__ == modules[1]["find"].__code__
    assert kinds == [module["Order"] for module in modules]


def test_a_name_that_only_type_checkers_import_costs_only_its_own_annotation() -> None:
    assert result_serdes(half_heard_of).annotation is Order
    assert parameter_annotation(half_heard_of, 0) is object
    assert parameter_annotation(half_heard_of, 1) is Order


def test_parameters_are_counted_by_position_and_missing_ones_are_anything() -> None:
    def handler(event: Order, /, context: Line, *rest: int, option: str = "") -> None: ...

    assert [parameter_annotation(handler, index) for index in range(4)] == [Order, Line, object, object]
    assert parameter_annotation(nothing_said, 0) is object


def test_a_wrapped_handlers_parameter_is_that_of_what_it_wraps() -> None:
    @logged
    async def handler(event: Order, context: object) -> None: ...

    assert parameter_annotation(handler, 0) is Order


def test_annotations_may_be_unhashable() -> None:
    annotation = Annotated[int, []]

    assert serdes_for(annotation).deserialize("5") == 5


@pytest.mark.parametrize("function", [order_later, first_logged, functools.partial(order_later), Shop(), Shop().find])
def test_asking_again_is_fast(function: Callable[..., object]) -> None:
    result_serdes(function)
    begun = time.perf_counter()
    for _ in range(1_000):
        result_serdes(function)

    assert time.perf_counter() - begun < 0.02, "20 µs each would mean that the annotation is resolved each time"
