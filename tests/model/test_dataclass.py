"""The project's dataclasses behave as those of the standard library, whatever their fields are."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.model import dataclass as ours

SOURCE = Path(__file__).resolve().parents[2] / "src"
FLAGS = st.fixed_dictionaries({name: st.booleans() for name in ("repr", "compare", "init", "kw_only")})
DEFAULTS = st.sampled_from(({}, {"default": 7}, {"default_factory": list}))
FIELDS = st.lists(st.tuples(DEFAULTS, FLAGS), max_size=5)
OPTIONS = st.fixed_dictionaries({name: st.booleans() for name in ("frozen", "slots", "order")})
VALUES = st.integers(0, 1)
decorate: Callable[..., Any] = vars(ours)["dataclass"]


def _class(decorator: Callable[..., Any], fields: list[tuple[str, dict[str, Any]]], options: dict[str, bool]) -> Any:
    body = {"__annotations__": {name: "int" for name, _ in fields}, **{name: dataclasses.field(**how) for name, how in fields}}
    return decorator(**options)(type("Drawn", (), body))


def _told(call: Callable[[], object]) -> object:
    try:
        return call()
    except (TypeError, AttributeError, ValueError) as error:
        return type(error), str(error).replace("Drawn.", "")


def _behaviour(kind: Any, rows: list[dict[str, int]], options: dict[str, bool]) -> list[object]:
    """All that is observable of a class and some instances of it."""
    found: list[object] = [re.sub("= <.*?>", "= <>", str(inspect.signature(kind))), kind.__match_args__, _told(lambda: kind(nothing=1))]
    made = [kind(**row) for row in rows]
    names = [field.name for field in dataclasses.fields(kind)]
    for one in made:
        found += [repr(one), _told(lambda one=one: hash(one)), dataclasses.asdict(one)]  # type: ignore[misc]
        found += [one == other for other in made]
        found += [_told(lambda one=one, other=other: (one < other, one <= other, one > other, one >= other)) for other in made]  # type: ignore[misc]
        found += [repr(copy.copy(one)), one == copy.deepcopy(one), one == 1, one != made[0]]
        found += [_told(lambda one=one, name=name: setattr(one, name, 5)) for name in names]  # type: ignore[misc]
        found += [_told(lambda one=one: setattr(one, "other", 5)) if options["frozen"] and not options["slots"] else None]  # type: ignore[misc]
        found += [repr(one), _told(lambda one=one: repr(dataclasses.replace(one, a0=3)) if "a0" in names else "")]  # type: ignore[misc]
    return found


@settings(max_examples=60, deadline=None)
@given(FIELDS, OPTIONS, st.data())
def test_as_the_standard_library_has_them(drawn: list[tuple[Any, Any]], options: dict[str, bool], data: st.DataObject) -> None:
    # A field that is not a parameter has a default, and none without one follows one with.
    fields = sorted(
        ((default or ({"default": 1} if not flags["init"] else {})) | flags for default, flags in drawn),
        key=lambda how: "default" in str(how),
    )
    named = [(f"a{at}", how) for at, how in enumerate(fields)]
    rows = [{name: data.draw(VALUES) for name, how in named if how["init"]} for _ in range(3)]
    expected = _behaviour(_class(dataclasses.dataclass, named, options), rows, options)
    assert _behaviour(_class(decorate, named, options), rows, options) == expected


@ours.dataclass(frozen=True, slots=True)
class Base:
    """A class that others derive from."""

    first: int
    rest: tuple[int, ...] = ()


@ours.dataclass(frozen=True, slots=True)
class Derived(Base):
    more: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "more", self.more or "made")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derived)


class Ordinary(Base):
    """Not a dataclass itself: may have attributes of its own."""


def test_inheritance() -> None:
    assert repr(Derived(1)) == "Derived(first=1, rest=(), more='made')"
    assert Derived(1) == Derived(2)
    assert hash(Derived(1)) != hash(Derived(2))
    assert Base(1) != Derived(1)
    assert Base.__doc__ == "A class that others derive from."
    ordinary = Ordinary(1)
    ordinary.own = 2  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        ordinary.first = 2  # type: ignore[misc]


def test_pickled() -> None:
    for value in (Base(1, (2,)), Derived(1, (), "x")):
        again = pickle.loads(pickle.dumps(value))
        assert (type(again), repr(again)) == (type(value), repr(value))


def test_init_is_compiled_when_it_is_first_used() -> None:
    kind = decorate(frozen=True)(type("Fresh", (), {"__annotations__": {"a": "int"}}))
    assert not inspect.isfunction(vars(kind)["__init__"])
    assert kind(a=1).a == 1
    assert inspect.isfunction(vars(kind)["__init__"])


def test_the_product_uses_no_other() -> None:
    """One stdlib dataclass costs as much at import as ten of ours."""
    dear = re.compile(r"^\s*from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass|make_dataclass", re.MULTILINE)
    found = [path.name for path in SOURCE.rglob("*.py") if dear.search(path.read_text("utf-8"))]
    assert found == ["dataclass.py"]
