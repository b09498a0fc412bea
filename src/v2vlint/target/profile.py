"""Parse target profiles from TOML. Every mistake is a UsageError that says where."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from v2vlint.model.errors import UsageError
from v2vlint.model.plain import JsonObject, Table
from v2vlint.model.target import Target
from v2vlint.target.keys import KEYS
from v2vlint.target.readers import known, text

Base = Callable[[str], Target]

MAX_TOML = 1 << 20
_NEEDED = ("title", "hypervisor", "controllers", "nics", "displays")


def read_toml(path: Path) -> Table:
    """The data in a TOML file. UsageError when it cannot be read or parsed. It may have come with an image."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TOML + 1)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(data) > MAX_TOML:
        raise UsageError(f"{path}: larger than {MAX_TOML} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def parse(name: str, data: Table, origin: str, base: Base) -> Target:
    """A target from TOML data. ``extends`` names a profile of ``base`` whose values are the defaults; tables inherit key by key."""
    place = f"target {origin}"
    values: JsonObject = {}
    if "extends" in data:
        values = _fields(base(text(data["extends"], f"{place}: extends")))
    values["name"] = name
    for key, value in data.items():
        if key != "extends":
            values[key] = _read(key, value, place, values.get(key))
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise UsageError(f"{place}: {', '.join(missing)} missing", hint='or write extends = "kvm" and change what differs')
    return Target(**values)


def _read(name: str, value: Any, place: str, inherited: Any) -> Any:
    key = known(KEYS, name, place)
    found = key.read(value, f"{place}: {name}")
    return found if key.over is None else dataclasses.replace(key.over() if inherited is None else inherited, **found)


def _fields(target: Target) -> JsonObject:
    return {field: getattr(target, field) for field in Target.__dataclass_fields__}
