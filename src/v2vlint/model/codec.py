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
import math
import types
import typing
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, TypeVar

T = TypeVar("T")

MAX_DEPTH = 100
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(char for char in range(256) if char not in _STEPS)


def encode(value: object) -> Any:
    """Convert ``value`` to JSON-ready data. A dataclass becomes an object with its class name under ``$``; bytes become base64 text,
    a date its ISO form.

    Private fields (caches) are left out.
    """
    kind: Any = type(value)
    return value if kind in _PLAIN else _encoder(kind)(value)


_PLAIN = frozenset({str, int, bool, float, type(None)})


@functools.cache
def _encoder(kind: type) -> Callable[[Any], Any]:
    """The function that encodes values of exactly this type."""
    if issubclass(kind, enum.Enum):
        return lambda value: value.value
    if dataclasses.is_dataclass(kind):
        name, names = kind.__name__, [one.name for one in dataclasses.fields(kind) if not one.name.startswith("_")]
        return lambda value: {"$": name, **{one: encode(getattr(value, one)) for one in names}}
    if issubclass(kind, Mapping):
        return lambda value: [[encode(key), encode(item)] for key, item in value.items()]
    if issubclass(kind, (tuple, list)):
        return lambda value: [encode(item) for item in value]
    if issubclass(kind, (set, frozenset)):
        # Sorted, so that equal sets have equal digests.
        return lambda value: sorted((encode(item) for item in value), key=repr)
    if issubclass(kind, datetime.date):
        return lambda value: value.isoformat()
    return (lambda value: base64.b64encode(value).decode()) if issubclass(kind, bytes) else (lambda value: value)


def parse(text: bytes | bytearray | str) -> Any:
    """Parse JSON ``text``. ValueError when it is not JSON, is nested deeper than MAX_DEPTH, or contains NaN or Infinity."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    # Counted before it is parsed: json.loads recurses once for each level. Without what a backslash hides, every quote begins or ends a
    # string, so that every second part is outside of them.
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in data else data
    brackets = b"".join(plain.split(b'"')[::2]).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(data, parse_constant=_refuse, parse_float=_finite)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    # Of too many digits, or with too large an exponent.
    if math.isinf(number):
        _refuse(digits[:40])
    return number


def decode(kind: type[T], data: Any) -> T:
    """The inverse of :func:`encode` for the annotated type ``kind``. ValueError or TypeError when the data does not fit."""
    try:
        return typing.cast(T, _decoder(kind)(data))
    except (KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {type(error).__name__}") from error


def conform(value: T) -> T:
    """``value`` after a round trip through the codec. ValueError or TypeError names a field that contradicts its annotation."""
    return decode(type(value), encode(value))


Decoder = Callable[[Any], Any]


def _decoder(kind: Any) -> Decoder:
    """The function that decodes data of an annotated type. Not cached: ``A | B`` equals ``B | A``, but they are tried in order."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _union(typing.get_args(kind))
    if origin is not None:
        return _generic(kind, origin)
    if isinstance(kind, typing.TypeVar) or kind in (Any, object):
        return lambda data: data
    if dataclasses.is_dataclass(kind):
        return functools.partial(_decode_dataclass, typing.cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    return lambda data: data if type(data) is kind else _decode_scalar(kind, data)


def _decode_scalar(kind: Any, data: Any) -> Any:
    if isinstance(data, kind):
        return data
    if kind is bytes and isinstance(data, str):
        return base64.b64decode(data, validate=True)
    if kind is datetime.date and isinstance(data, str):
        return datetime.date.fromisoformat(data)
    # JSON does not tell 1.0 from 1.
    if kind is float and isinstance(data, int):
        return float(data)
    raise TypeError(f"expected {_name(kind)}, found {type(data).__name__}")


def _generic(kind: Any, origin: Any) -> Decoder:
    args = typing.get_args(kind)
    if origin is typing.Literal:
        return functools.partial(_decode_literal, args)
    if dataclasses.is_dataclass(origin):
        return functools.partial(_decode_dataclass, typing.cast(type, origin))
    parts = [_decoder(arg) for arg in args if arg is not Ellipsis]
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return lambda data: tuple(map(parts[0], _list(data)))
    if origin is tuple:
        return lambda data: tuple(part(item) for part, item in zip(parts, _list(data), strict=True))
    if origin in (set, frozenset):
        return lambda data: frozenset(map(parts[0], _list(data)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda data: types.MappingProxyType({parts[0](key): parts[1](item) for key, item in map(_list, _list(data))})
    raise TypeError(f"cannot decode {kind!r}")


def _decode_literal(options: tuple[Any, ...], data: Any) -> Any:
    if data not in options:
        raise ValueError(f"expected one of {options}")
    return data


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, found {type(data).__name__}")
    return data


def _union(options: tuple[Any, ...]) -> Decoder:
    optional = type(None) in options
    decoders = [(_name(typing.get_origin(one) or one), _decoder(one)) for one in options if one is not type(None)]

    def decoded(data: Any) -> Any:
        if data is None and optional:
            return None
        # The class name says which one it is; values without one are tried in order.
        candidates = (
            [one for name, one in decoders if name == data.get("$")] if isinstance(data, dict) else [one for _name, one in decoders]
        )
        if not candidates:
            raise TypeError(f"expected {' or '.join(map(_name, options))}, found {data.get('$', 'an object')}")
        for one in candidates[:-1]:
            try:
                return one(data)
            except (TypeError, ValueError, KeyError):
                continue
        return candidates[-1](data)

    return decoded


def _name(kind: Any) -> str:
    return "None" if kind is type(None) else getattr(kind, "__name__", str(kind))


@functools.cache
def _decoders(kind: type) -> Mapping[str, Decoder]:
    """The decoders of a dataclass's fields, private ones left out: those are caches of the process that made them."""
    return {name: _decoder(hint) for name, hint in typing.get_type_hints(kind).items() if not name.startswith("_")}


def _decode_dataclass(kind: type, data: Any) -> Any:
    if not isinstance(data, dict) or data.get("$") != kind.__name__:
        raise TypeError(f"expected {kind.__name__}, found {data.get('$', 'an object') if isinstance(data, dict) else type(data).__name__}")
    decoders, values, name = _decoders(kind), {}, ""
    try:
        for name, item in data.items():
            if name in decoders:
                values[name] = decoders[name](item)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return kind(**values)
