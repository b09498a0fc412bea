"""Lazily created values of examples: rules refer to them on import, and a check uses none of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")
_MAKERS: dict[int, Callable[[], object]] = {}


def later(kind: type[T], make: Callable[[], T]) -> T:
    """What ``make`` returns, of exactly the frozen dataclass ``kind`` with slots; called when a field or the class is asked for."""
    waiting: Any = _waiting(cast(Any, kind))
    value = object.__new__(waiting)
    _MAKERS[id(value)] = make
    return cast(T, value)


@functools.cache
def _waiting(kind: type) -> type:
    """The class of such values until they are used: it has the same slots, which are empty."""

    def settle(self: Any) -> type:
        made = _MAKERS.pop(id(self))()
        for field in dataclasses.fields(kind):
            object.__setattr__(self, field.name, getattr(made, field.name))
        # An assignment would go to the property of this class.
        vars(object)["__class__"].__set__(self, kind)
        return kind

    def missing(self: Any, name: str) -> Any:
        settle(self)
        return getattr(self, name)

    def reduced(self: Any, protocol: Any) -> Any:
        settle(self)
        return self.__reduce_ex__(protocol)

    body = {"__slots__": (), "__getattr__": missing, "__class__": property(settle), "__reduce_ex__": reduced}
    return type(kind.__name__, (kind,), body)
