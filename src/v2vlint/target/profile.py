"""A target profile from TOML data. Every mistake is a UsageError with its place."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Controller, Display, Hardware, Nic, Target

Base = Callable[[str], Target]
Reader = Callable[[Any, str], Any]

_HYPERVISORS = ("kvm", "vmware", "hyperv", "xen", "virtualbox", "any")
_PREFIXES = ("vd", "sd", "nvme", "xvd", "hd")
_NEEDED = ("title", "hypervisor", "controllers", "nics", "displays")


def read_toml(path: Path) -> dict[str, Any]:
    """The data of a TOML file; UsageError when it cannot be read or is none."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def parse(name: str, data: Mapping[str, Any], origin: str, base: Base | None = None) -> Target:
    """A target from TOML data. ``extends`` names a shipped profile whose values are the defaults."""
    place = f"target {origin}"
    values: dict[str, Any] = {}
    if "extends" in data:
        values = _fields((base or _shipped)(_text(data["extends"], f"{place}: extends")))
    values["name"] = name
    for key, value in data.items():
        if key != "extends":
            values[key] = _known(_KEYS, key, place)(value, f"{place}: {key}")
    missing = [key for key in _NEEDED if key not in values]
    if missing:
        raise UsageError(f"{place}: {', '.join(missing)} missing", hint='or write extends = "kvm" and change what differs')
    return Target(**values)


def _shipped(name: str) -> Target:
    from v2vlint import target

    return target.load(name)


def _fields(target: Target) -> dict[str, Any]:
    return {field: getattr(target, field) for field in Target.__dataclass_fields__}


def _known(keys: Mapping[str, Reader], key: str, place: str) -> Reader:
    if key not in keys:
        raise UsageError(f"{place}: unknown key {key!r}", hint=f"known keys: {', '.join(keys)}")
    return keys[key]


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{place}: must be a text")
    return value


def _flag(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{place}: must be true or false")
    return value


def _number(low: int, high: int) -> Reader:
    def convert(value: Any, place: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise UsageError(f"{place}: must be a number from {low} to {high}")
        return value

    return convert


def _one_of(options: tuple[str, ...]) -> Reader:
    def convert(value: Any, place: str) -> str:
        if value not in options:
            raise UsageError(f"{place}: must be one of {', '.join(options)}")
        return str(value)

    return convert


def _list(item: Reader) -> Reader:
    def convert(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise UsageError(f"{place}: must be a list")
        return tuple(item(one, f"{place} #{number}") for number, one in enumerate(value, 1))

    return convert


def _filled(item: Reader) -> Reader:
    def convert(value: Any, place: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = _list(item)(value, place)
        if not found:
            raise UsageError(f"{place}: must not be empty")
        return found

    return convert


def _table(kind: type, keys: Mapping[str, Reader], needed: bool = True) -> Reader:
    def convert(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise UsageError(f"{place}: must be a table")
        fields = {key: _known(keys, key, place)(item, f"{place}: {key}") for key, item in value.items()}
        missing = [key for key in keys if key not in fields] if needed else []
        if missing:
            raise UsageError(f"{place}: {', '.join(missing)} missing")
        return kind(**fields)

    return convert


_SETS = _filled(_filled(_text))
_CONTROLLER = _table(Controller, {"name": _text, "prefix": _one_of(_PREFIXES), "any_of": _SETS})
_NIC = _table(Nic, {"name": _text, "any_of": _SETS})
_DISPLAY = _table(Display, {"name": _text, "modules": _list(_text), "xorg_drivers": _list(_text)})
_KEYS: dict[str, Reader] = {
    "title": _text, "hypervisor": _one_of(_HYPERVISORS), "controllers": _filled(_CONTROLLER), "nics": _list(_NIC),
    "displays": _list(_DISPLAY), "consoles": _list(_text), "firmware": _filled(_one_of(("bios", "uefi"))), "cpu_level": _number(1, 4),
    "ram_mib": _number(64, 1 << 24), "keeps_mac": _flag, "keeps_pci": _flag, "keeps_nvram": _flag, "keeps_tpm": _flag,
    "keeps_network": _flag, "xen_pv": _flag,
    "hardware": _table(Hardware, {"machine": _text, "disk": _text, "nic": _text, "vga": _text}, needed=False),
}  # fmt: skip
