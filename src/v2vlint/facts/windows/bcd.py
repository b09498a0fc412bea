"""The boot configuration data of Windows (BCD), a hive: objects by their GUID, and their elements.

Elements have the numbers in Microsoft's documentation. For the boot manager: 23000003 the default entry, 24000002 entries for the next
boot only, 24000001 the menu, 25000004 its timeout, 26000020 whether it is always shown, 26000005 whether to resume a hibernated system.
For an entry: 12000002 its loader, 11000001 the loader's device, 21000001 that of Windows, 14000008 the recovery sequence and 16000009
whether it is enabled, 250000e0 the boot status policy, 25000080 safe mode, 16000046 graphicsmodedisabled, 16000048 nointegritychecks,
16000049 testsigning, 260000b0 the emergency services on a serial port.
"""

from __future__ import annotations

import uuid

from v2vlint.disk.fields import Fields
from v2vlint.facts.windows.registry import RegistryNode, RegistryValue
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import RegistryKey

MANAGER = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"

# A device element; on a GPT disk, the partition's GUID is in the place of its offset.
_DEVICE = Fields("<", type=(0x10, "I"), offset=(0x20, "Q"), style=(0x34, "I"), signature=(0x38, "I"))
_GUID = slice(0x20, 0x30)
_DEVICE_SIZE = 0x48
_GPT = 0  # a style
_QUALIFIED = 6  # the type of a device element that names a partition and its disk
_IGNORE_ALL = 1  # IgnoreAllFailures
_SAFE = ("minimal", "network", "dsrepair")


@dataclass(frozen=True, slots=True)
class BcdEntry:
    """An entry: its name, the loader's path as written, and the partition it names (a PARTUUID as blkid writes it, or empty).
    ``device_at`` and ``loader_at`` are the places of partition and path, ``loader_value`` is the path as it is stored.

    ``windows`` is the partition of Windows itself with its place, ``file`` the virtual disk that contains Windows. ``once`` says that only
    the next boot uses this entry. The others are places of options that are set: ``safe_mode`` (with ``safe``: ``minimal``, ``network`` or
    ``dsrepair``), ``unsigned``, ``ems``, ``recovery`` (None also where failures are ignored).
    """

    name: str
    loader: str
    partition: str
    where: RegistryKey
    device_at: RegistryKey
    loader_at: RegistryKey
    loader_value: RegistryValue | None = None
    windows: str = ""
    windows_at: RegistryKey | None = None
    file: str = ""
    once: bool = False
    graphics_off: RegistryKey | None = None
    safe: str = ""
    safe_mode: RegistryValue | None = None
    unsigned: RegistryKey | None = None
    ems: RegistryKey | None = None
    recovery: RegistryKey | None = None


@dataclass(frozen=True, slots=True)
class BcdMenu:
    """The boot manager's menu: its entry names, whether it is shown, and after how many seconds the default starts (None: never).
    ``resumes`` is the setting that makes it resume a hibernated system first."""

    names: tuple[str, ...] = ()
    shown: bool = False
    timeout: int | None = None
    where: RegistryKey | None = None
    resumes: RegistryKey | None = None


class Bcd:
    """A boot configuration."""

    def __init__(self, top: RegistryNode) -> None:
        self._top = top

    def first(self) -> BcdEntry | None:
        """The entry that the next boot uses; None when there is none."""
        once = self._value(MANAGER, "24000002")
        for name in once.texts if once else ():
            if (found := self._entry(name, once=True)) is not None:
                return found
        chosen = self._value(MANAGER, "23000003")
        return self._entry(chosen.text) if chosen and chosen.text else None

    def menu(self) -> BcdMenu:
        """The menu that the boot manager shows."""
        order = self._value(MANAGER, "24000001")
        names = tuple(self._text(one, "12000004") or one for one in order.texts) if order else ()
        timeout = self._value(MANAGER, "25000004")
        shown = len(names) > 1 or self._flag(MANAGER, "26000020") is not None
        where = order.where if order else RegistryKey(self._top.path, f"Objects\\{MANAGER}")
        return BcdMenu(names, shown, _number(timeout), where, self._flag(MANAGER, "26000005"))

    def _entry(self, name: str, once: bool = False) -> BcdEntry | None:
        node = self._top.key(f"Objects\\{name}\\Elements")
        if node is None:
            return None
        device, loader, windows = (self._value(name, one) for one in ("11000001", "12000002", "21000001"))
        safe = self._value(name, "25000080")
        return BcdEntry(
            name=self._text(name, "12000004"),
            loader=loader.text if loader else "",
            partition=partition_of(device.data) if device else "",
            where=node.where,
            device_at=device.where if device else node.where,
            loader_at=loader.where if loader else node.where,
            loader_value=loader,
            windows=partition_of(windows.data) if windows else "",
            windows_at=windows.where if windows else None,
            file=next((found for one in (windows, device) if one and (found := file_of(one.data))), ""),
            once=once,
            graphics_off=self._flag(name, "16000046"),
            safe=_SAFE[min(_number(safe) or 0, 2)] if safe else "",
            safe_mode=safe,
            unsigned=self._flag(name, "16000049") or self._flag(name, "16000048"),
            ems=self._flag(name, "260000b0"),
            recovery=self._recovery(name),
        )

    def _recovery(self, name: str) -> RegistryKey | None:
        sequence, policy = self._value(name, "14000008"), self._value(name, "250000e0")
        if sequence is None or self._flag(name, "16000009") is None or _number(policy) == _IGNORE_ALL:
            return None
        return sequence.where

    def _value(self, name: str, element: str) -> RegistryValue | None:
        node = self._top.key(f"Objects\\{name}\\Elements\\{element}")
        return node.value("Element") if node else None

    def _text(self, name: str, element: str) -> str:
        found = self._value(name, element)
        return found.text if found else ""

    def _flag(self, name: str, element: str) -> RegistryKey | None:
        """The key of an element that is enabled."""
        found = self._value(name, element)
        return RegistryKey(found.where.path, found.where.key) if found and any(found.data) else None


def _number(value: RegistryValue | None) -> int | None:
    if value is None:
        return None
    # Integers are usually binary values of eight bytes.
    return value.number if value.number is not None else int.from_bytes(value.data[:8], "little")


def partition_of(data: bytes) -> str:
    """The PARTUUID in a device element, in blkid's notation but without the partition number for MBR: ``UUID`` or ``SIGNATURE@OFFSET``."""
    if len(data) < _DEVICE_SIZE:
        return ""
    device = _DEVICE.read(data)
    if device["type"] != _QUALIFIED:
        return ""
    if device["style"] == _GPT:
        return str(uuid.UUID(bytes_le=data[_GUID]))
    return f"{device['signature']:08x}@{device['offset']}"


def file_of(data: bytes) -> str:
    """The virtual disk that a device element names (``\\images\\w.vhdx``), or an empty string."""
    for shift in (0, 1):  # the UTF-16 text may begin at an odd offset
        text = data[shift:].decode("utf-16-le", "replace")
        end = max(text.lower().find(".vhd"), text.lower().find(".vhdx"))
        if end >= 0:
            path = text[: end + 5].rstrip("\0") if text[end + 4 : end + 5].lower() == "x" else text[: end + 4]
            return path[path.rfind("\0") + 1 :]
    return ""
