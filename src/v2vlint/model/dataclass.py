"""``dataclass``, but cheap to import.

The standard library's decorator generates and compiles up to ten functions per class at import. A check imports hundreds of classes and
uses few of them, so this was the largest part of its start-up time. Here the standard library still makes fields and slots; the other
methods are closures over the fields, and ``__init__``, which must be fast, is compiled on first use. :func:`dataclasses.fields`,
``replace`` and ``asdict``, copying and pickling work as usual. An ordinary frozen dataclass cannot be derived from one of these.
"""

from __future__ import annotations

import dataclasses
import operator
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(kind: type | None = None, /, *, frozen: bool = False, slots: bool = False, order: bool = False) -> Any:
        """Like :func:`dataclasses.dataclass`, with the parameters that this project uses."""
        if kind is None:
            return lambda kind: dataclass(kind, frozen=frozen, slots=slots, order=order)
        kind.__doc__ = kind.__doc__ or kind.__name__  # else its signature would be looked up
        own = {name for name, value in vars(kind).items() if value is not None}
        made = _with_fields(kind, slots)
        for name, method in _methods(made, frozen, order).items():
            if name not in own:
                setattr(made, name, method)
        # Frozen classes with slots cannot be pickled by setting attributes.
        if frozen and slots:
            made.__getstate__, made.__setstate__ = _state, _set_state
        return made


def _with_fields(kind: Any, slots: bool) -> Any:
    """The class with fields and slots. The text of annotations is kept from the standard library, which searches each for ``ClassVar``."""
    notes = vars(kind).get("__annotations__", {})
    kind.__annotations__ = {name: object if isinstance(note, str) and "Var" not in note else note for name, note in notes.items()}
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(kind)
    made.__annotations__ = notes
    for one in dataclasses.fields(made):
        one.type = notes.get(one.name, one.type)
    return made


def _methods(kind: Any, frozen: bool, order: bool) -> dict[str, object]:
    """The methods of a class by name, as far as it does not define them."""
    fields = dataclasses.fields(kind)
    key = _getter(one.name for one in fields if one.compare)
    equal = _comparison(operator.eq, key)
    methods: dict[str, object] = {"__init__": _Awaited(kind, frozen), "__repr__": _repr, "__eq__": equal, "__hash__": None}
    if frozen:
        hashed = _getter(one.name for one in fields if (one.compare if one.hash is None else one.hash))
        methods |= {"__hash__": lambda self: hash(hashed(self)), "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    if order:
        methods |= {f"__{one.__name__}__": _comparison(one, key) for one in (operator.lt, operator.le, operator.gt, operator.ge)}
    return methods


def _getter(names: Iterable[str]) -> Callable[[Any], Any]:
    """A function that returns the attributes of these names as a tuple."""
    found = tuple(names)
    if len(found) > 1:
        return operator.attrgetter(*found)
    return lambda value: tuple(getattr(value, name) for name in found)


def _comparison(compare: Callable[[Any, Any], bool], key: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: compare(key(self), key(other)) if other.__class__ is self.__class__ else NotImplemented


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


_awaited: list[_Awaited] = []


class _Awaited:
    """The ``__init__`` of a class that has not been used yet."""

    __slots__ = ("frozen", "kind")

    def __init__(self, kind: Any, frozen: bool) -> None:
        self.kind, self.frozen = kind, frozen
        _awaited.append(self)

    def __get__(self, instance: object, owner: type) -> Any:
        if isinstance(vars(self.kind)["__init__"], _Awaited):
            self.kind.__init__ = _init(self.kind, self.frozen)
        return vars(self.kind)["__init__"].__get__(instance, owner)


def build_all() -> None:
    """Compile each ``__init__`` that waits for its first use, so that processes forked later need not."""
    while _awaited:
        # Looking it up is a use.
        _awaited.pop().kind.__init__  # noqa: B018


def _init(kind: Any, frozen: bool) -> Any:
    """``__init__`` as the standard library writes it."""
    names: dict[str, object] = {"_set": object.__setattr__, "_absent": MISSING}
    fields = [one for one in dataclasses.fields(kind) if one.init or _has_default(one)]
    ordinary = [_parameter(one, names) for one in fields if one.init and not one.kw_only]
    keyword = [_parameter(one, names) for one in fields if one.init and one.kw_only]
    lines = [_assignment(one, names, frozen) for one in fields] + ["self.__post_init__()"] * hasattr(kind, "__post_init__")
    head = ", ".join(["self", *ordinary, *(["*", *keyword] if keyword else [])])
    # Of names of fields only, which Python has accepted as identifiers.
    exec("\n ".join([f"def __init__({head}):", *(lines or ["pass"])]), names)
    made: Any = names["__init__"]
    made.__module__, made.__qualname__ = kind.__module__, f"{kind.__qualname__}.__init__"
    made.__annotations__ = {**{one.name: one.type for one in fields if one.init}, "return": None}
    return made


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _parameter(one: Field[Any], names: dict[str, object]) -> str:
    names[f"_default_{one.name}"] = one.default
    return f"{one.name}=_default_{one.name}" if _has_default(one) else one.name


def _assignment(one: Field[Any], names: dict[str, object], frozen: bool) -> str:
    value = one.name if one.init else f"_default_{one.name}"
    names[f"_default_{one.name}"] = one.default
    if one.default_factory is not MISSING:
        names[f"_make_{one.name}"] = one.default_factory
        made = f"_make_{one.name}()"
        value = f"{made} if {one.name} is _absent else {one.name}" if one.init else made
    return f"_set(self, {one.name!r}, {value})" if frozen else f"self.{one.name} = {value}"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    if _is_own(self, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: Any, name: str) -> None:
    if _is_own(self, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_own(value: Any, name: str) -> bool:
    """Whether a frozen class forbids changing the attribute; an ordinary subclass may have more."""
    kind = type(value)
    return name in kind.__dataclass_fields__ or "__dataclass_fields__" in vars(kind)


def _state(self: Any) -> list[object]:
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
