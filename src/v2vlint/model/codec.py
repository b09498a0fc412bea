"""Convert the project's frozen dataclasses to JSON-ready values and back, guided by their annotations.

The isolated child and its parent talk in this format. A child that has parsed hostile bytes is trusted neither with pickle nor to answer
in the agreed form: :func:`parse` and :func:`decode` reject whatever does not fit.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import functools
import json
import re
import types
import typing
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, TypeVar

T = TypeVar("T")

MAX_DEPTH = 100
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(char for char in range(256) if char not in _STEPS)


def encode(value: object) -> Any:
    """Convert ``value`` to JSON-ready data. A dataclass becomes an object with its class name under ``$``; bytes become base64 text,
    a date its ISO form.

    Private fields (caches) are left out.
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
    if isinstance(value, datetime.date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def parse(text: bytes | bytearray | str) -> Any:
    """Parse JSON ``text``. ValueError when it is not JSON, is nested deeper than MAX_DEPTH, or contains NaN or Infinity."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(_STEPS[char] for char in brackets), default=0) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(data, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def decode(kind: type[T], data: Any) -> T:
    """The inverse of :func:`encode` for the annotated type ``kind``. ValueError or TypeError when the data does not fit."""
    try:
        return typing.cast(T, _decode(kind, data))
    except (KeyError, RecursionError) as error:
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {type(error).__name__}") from error


def conform(value: T) -> T:
    """``value`` after a round trip through the codec. ValueError or TypeError names a field that contradicts its annotation."""
    return decode(type(value), encode(value))


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
    if kind is datetime.date and isinstance(data, str):
        return datetime.date.fromisoformat(data)
    if kind is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, kind):
        raise TypeError(f"expected {_name(kind)}, found {type(data).__name__}")
    return data


def _decode_generic(kind: Any, origin: Any, data: Any) -> Any:
    args = typing.get_args(kind)
    if origin is typing.Literal:
        if data not in args:
            raise ValueError(f"expected one of {args}")
        return data
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_decode(args[0], item) for item in _list(data))
        return tuple(_decode(arg, item) for arg, item in zip(args, _list(data), strict=True))
    if origin in (set, frozenset):
        return frozenset(_decode(args[0], item) for item in _list(data))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return types.MappingProxyType({_decode(args[0], key): _decode(args[1], item) for key, item in map(_list, _list(data))})
    if dataclasses.is_dataclass(origin):
        return _decode_dataclass(typing.cast(type, origin), data)
    raise TypeError(f"cannot decode {kind!r}")


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, found {type(data).__name__}")
    return data


def _decode_union(options: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in options:
        return None
    candidates = [option for option in options if option is not type(None)]
    if isinstance(data, dict):
        candidates = [option for option in candidates if _name(typing.get_origin(option) or option) == data.get("$")]
    if not candidates:
        raise TypeError(f"expected {' or '.join(map(_name, options))}, found {data.get('$', 'an object')}")
    for option in candidates[:-1]:
        try:
            return _decode(option, data)
        except (TypeError, ValueError, KeyError):
            continue
    return _decode(candidates[-1], data)


def _name(kind: Any) -> str:
    return "None" if kind is type(None) else getattr(kind, "__name__", str(kind))


@functools.cache
def _hints(kind: type) -> Mapping[str, object]:
    return typing.get_type_hints(kind)


def _decode_dataclass(kind: type, data: Any) -> Any:
    if not isinstance(data, dict) or data.get("$") != kind.__name__:
        raise TypeError(f"expected {kind.__name__}, found {data.get('$', 'an object') if isinstance(data, dict) else type(data).__name__}")
    hints = _hints(kind)
    return kind(**{name: _field(name, hints[name], item) for name, item in data.items() if name in hints})


def _field(name: str, kind: Any, data: Any) -> Any:
    try:
        return _decode(kind, data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
