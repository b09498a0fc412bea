"""The parent's check of a request that the child prepared for the libguestfs worker.

The child has read hostile bytes and may be under an attacker's control. It may request operations on paths inside the guest's own
filesystems and nothing else: no other drives, no commands or keys that it was not given.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from v2vlint.fixing.orders import Orders
from v2vlint.fixing.protocol import GENERATORS, FixAsk
from v2vlint.model.codec import parse
from v2vlint.model.errors import ImageError

MAX_ROOTS = 64
MAX_OPERATIONS = 10_000
_NAME = re.compile(r"[A-Za-z0-9._+-]{1,255}(/[A-Za-z0-9._+-]{1,255})?")
_UUID = re.compile(r"[0-9A-Za-z:-]{0,64}")
_OPTIONS = re.compile(r"|subvolid=\d{1,20}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[A-Za-z0-9._+~-]{1,255}")

Check = Callable[[Any], bool]


class _Unasked(ValueError):
    """The child requests something that it is not allowed to."""


def checked(prepared: str, asked: FixAsk, disks: int) -> Orders:
    """The child's part of a worker request, for a guest with ``disks`` disks. ImageError when it requests something that is not allowed."""
    try:
        request = parse(prepared)
        _object(
            request, {"roots": _list_of(lambda root: _root(root, asked, disks), MAX_ROOTS), "unlock": _list_of(_Unlock(asked, disks), 64)}
        )
    except ValueError as error:
        raise ImageError(f"{asked.ask.guest.name}: the reader process asks for what it was not asked for: {error}") from error
    return cast(Orders, request)


def _object(value: Any, fields: Mapping[str, Check], optional: Mapping[str, Check] = {}) -> bool:
    if not isinstance(value, dict) or not fields.keys() <= value.keys() <= fields.keys() | optional.keys():
        raise _Unasked(f"not an object of {', '.join(fields)}")
    for name, item in value.items():
        if not {**optional, **fields}[name](item):
            raise _Unasked(f"{name}: {str(item)[:80]!r}")
    return True


def _list_of(check: Check, most: int = MAX_OPERATIONS) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and len(value) < 1 << 16


def _path(value: Any) -> bool:
    return _text(value) and value.startswith("/") and len(value) < 4096 and ".." not in value.split("/")


def _count(value: Any) -> bool:
    # isinstance would let booleans pass.
    return type(value) is int and 0 <= value < 1 << 63


def _matching(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return False
    return isinstance(value, str)


def _device(value: Any, disks: int) -> bool:
    named = {
        "kind": _text,
        "name": _text,
        "uuid": _matching(_UUID),
        "disk": lambda disk: disk is None or type(disk) is int,
        "number": _number,
    }
    _object(value, named)
    if value["kind"] in ("lv", "luks"):
        return _name(value["name"])
    return value["kind"] == "md" or (_count(value["disk"]) and value["disk"] < disks)


def _name(value: Any) -> bool:
    """A name below /dev or /dev/mapper, possibly with its volume group."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None and not {".", ".."} & set(value.split("/"))


def _number(value: Any) -> bool:
    return value is None or type(value) is int


class _Unlock:
    """Devices to open, with keys that the operator gave."""

    def __init__(self, asked: FixAsk, disks: int) -> None:
        self.keys = {base64.b64encode(key.secret).decode() for key in asked.ask.keys.keys}
        self.disks = disks

    def __call__(self, value: Any) -> bool:
        device: Check = lambda item: _device(item, self.disks)  # noqa: E731
        return _object(value, {"device": device, "name": _name, "keys": _list_of(lambda key: _text(key) and key in self.keys)})


def _root(value: Any, asked: FixAsk, disks: int) -> bool:
    mount = {"point": _path, "device": lambda device: _device(device, disks), "options": _matching(_OPTIONS)}
    return _object(
        value,
        {
            "mounts": _list_of(lambda one: _object(one, mount), 256),
            "operations": _list_of(lambda operation: _operation(operation, asked)),
            "selinux": lambda path: path == "" or _path(path),
            "windows": lambda flag: isinstance(flag, bool),
        },
    )


def _operation(value: Any, asked: FixAsk) -> bool:
    kind = value.get("op") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _OPERATIONS or (kind == "command" and not asked.rebuild):
        raise _Unasked(f"operation {str(kind)[:80]!r}")
    return _object(value, {"op": _text, "path": _path, **_OPERATIONS[kind]}, {"binary": lambda flag: flag is True})


def _edit(value: Any) -> bool:
    key = _list_of(_text, 512)
    entry = {"type": _count, "data": _base64}
    if isinstance(value, dict) and value.get("delete"):
        values = _list_of(lambda one: _object(one, {"name": _text, **entry}))
        return _object(value, {"key": key, "delete": lambda flag: flag is True, "expect": values})
    return _object(value, {"key": key, "name": _text, **entry, "expect": lambda one: one is None or _object(one, entry)})


def _command(value: Any) -> bool:
    """The command of a known initramfs generator, for a kernel version."""
    # re.escape has escaped the braces, too.
    return isinstance(value, str) and any(
        re.fullmatch(re.escape(command).replace(r"\{version\}", f"'?{_VERSION.pattern}'?"), value) for _path, command in GENERATORS
    )


_OPERATIONS: dict[str, dict[str, Check]] = {
    "overwrite": {"data": _base64, "expect": _matching(_SHA256)},
    "create": {"data": _base64, "mode": lambda mode: _count(mode) and mode <= 0o7777},
    "delete": {},
    "copy": {"source": _path},
    "append": {"data": _base64, "size": _count, "renewed": _list_of(_text)},
    "registry": {"edits": _list_of(_edit)},
    "command": {"command": _command},
}
