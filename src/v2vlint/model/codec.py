"""Turns the frozen dataclasses of this project into JSON-ready values and back, by their annotations.

Used between the isolated child and its parent: a child that parsed hostile bytes must not be trusted with pickle.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: object) -> Any:
    """``value`` as JSON-ready data. A dataclass becomes an object with its class name under ``$``; bytes become base64 text.

    Private fields (caches) stay behind.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if not f.name.startswith("_")}
        return {"$": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return [[encode(key), encode(item)] for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((encode(item) for item in value), key=repr)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def decode(kind: type[T], data: Any) -> T:
    """The inverse of :func:`encode` for the annotated type ``kind``; ValueError or TypeError when the data does not fit."""
    return typing.cast(T, _decode(kind, data))


def _decode(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(typing.get_args(kind), data)
    if origin is not None:
        return _decode_generic(kind, origin, data)
    if isinstance(kind, typing.TypeVar) or kind in (Any, object):
        return data
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(typing.cast(type, kind), data)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    return _decode_scalar(kind, data)


def _decode_scalar(kind: Any, data: Any) -> Any:
    if kind is bytes and isinstance(data, str):
        return base64.b64decode(data, validate=True)
    if kind is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, kind):
        raise TypeError(f"expected {kind!r}, found {type(data).__name__}")
    return data


def _decode_generic(kind: Any, origin: Any, data: Any) -> Any:
    args = typing.get_args(kind)
    if origin is typing.Literal:
        if data not in args:
            raise ValueError(f"expected one of {args}")
        return data
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_decode(args[0], item) for item in data)
        return tuple(_decode(arg, item) for arg, item in zip(args, data, strict=True))
    if origin in (set, frozenset):
        return frozenset(_decode(args[0], item) for item in data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return types.MappingProxyType({_decode(args[0], key): _decode(args[1], item) for key, item in data})
    if dataclasses.is_dataclass(origin):
        return _decode_dataclass(typing.cast(type, origin), data)
    raise TypeError(f"cannot decode {kind!r}")


def _decode_union(options: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in options:
        return None
    candidates = [option for option in options if option is not type(None)]
    if isinstance(data, dict):
        named = [option for option in candidates if getattr(typing.get_origin(option) or option, "__name__", "") == data.get("$")]
        candidates = named or candidates
    for option in candidates[:-1]:
        try:
            return _decode(option, data)
        except (TypeError, ValueError, KeyError):
            continue
    return _decode(candidates[-1], data)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode_dataclass(kind: type, data: Any) -> Any:
    if not isinstance(data, dict) or data.get("$") != kind.__name__:
        raise TypeError(f"expected {kind.__name__}")
    hints = _hints(kind)
    return kind(**{name: _decode(hints[name], item) for name, item in data.items() if name in hints})
