"""Target profiles: TOML files shipped beside this module, or the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Controller, Display, Hardware, Nic, Target

_SETS = {"controllers": Controller, "nics": Nic}
_SCALARS = {
    "title": str, "hypervisor": str, "cpu_level": int, "ram_mib": int, "keeps_mac": bool, "keeps_pci": bool, "keeps_nvram": bool,
    "keeps_tpm": bool, "keeps_network": bool, "xen_pv": bool,
}  # fmt: skip


def names() -> tuple[str, ...]:
    """The shipped profiles, sorted."""
    folder = resources.files(__package__) / "profiles"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


@cache
def load(name: str) -> Target:
    """The shipped profile ``name``, or the one in the file ``name`` if it ends in ``.toml``. UsageError when absent or wrong."""
    if name.endswith(".toml"):
        return parse(Path(name).stem, _read_user(Path(name)), name)
    if name not in names():
        raise UsageError(f"unknown target {name!r}", hint=f"one of {', '.join(names())}, or a path to a .toml profile")
    text = (resources.files(__package__) / "profiles" / f"{name}.toml").read_text("utf-8")
    return parse(name, tomllib.loads(text), name)


def _read_user(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def parse(name: str, data: Mapping[str, Any], origin: str) -> Target:
    """A target from TOML data. ``extends`` names a profile whose values are the defaults. UsageError on unknown or wrong keys."""
    merged = dict(data)
    base = merged.pop("extends", None)
    values: dict[str, Any] = {} if base is None else _fields(load(str(base)))
    values["name"] = name
    for key, value in merged.items():
        values[key] = _value(key, value, origin)
    missing = {"title", "hypervisor", "controllers", "nics", "displays"} - values.keys()
    if missing:
        raise UsageError(f"target {origin}: missing {', '.join(sorted(missing))}")
    return Target(**values)


def _fields(target: Target) -> dict[str, Any]:
    return {field: getattr(target, field) for field in Target.__dataclass_fields__}


def _value(key: str, value: Any, origin: str) -> Any:
    if key in _SCALARS and type(value) is _SCALARS[key]:
        return value
    if key in ("consoles", "firmware") and isinstance(value, list):
        return tuple(map(str, value))
    try:
        if key in _SETS:
            return tuple(_SETS[key](**{**item, "any_of": _alternatives(item["any_of"])}) for item in value)
        if key == "displays":
            return tuple(Display(i["name"], tuple(i["modules"]), tuple(i["xorg_drivers"])) for i in value)
        if key == "hardware":
            return Hardware(**value)
    except (TypeError, KeyError) as error:
        raise UsageError(f"target {origin}: wrong value for {key}: {error}") from error
    raise UsageError(f"target {origin}: unknown key or wrong type: {key}")


def _alternatives(value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
        raise TypeError("any_of must be a list of lists of module names")
    return tuple(tuple(map(str, item)) for item in value)
