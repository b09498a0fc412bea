"""What the registry says of a Windows root: product and version, host name, installed programs, drive letters, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from v2vlint.disk.hive import HiveFile, HiveKey, HiveValue
from v2vlint.guest.fs import GuestFS
from v2vlint.inspect.storage import device_path, firmware
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import (
    Application,
    DriveLetter,
    GuestfsView,
    NetworkInterface,
    OperatingSystem,
    Release,
    WindowsFacts,
)
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.registry import EXPAND_SZ, MULTI_SZ, SZ
from v2vlint.model.report import Problem

_ROOTS = ("windows", "winnt")
_UNINSTALL = (
    r"Microsoft\Windows\CurrentVersion\Uninstall",
    r"WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
_CURRENT = r"Microsoft\Windows NT\CurrentVersion"
_LETTER = re.compile(r"\\DosDevices\\([A-Za-z]):", re.IGNORECASE)
_ANTIVIRUS = re.compile(r"virus|kaspersky|mcafee|norton|sophos|ApexOneNT|avg technologies", re.IGNORECASE)
MAX_KEYS = 10_000
MAX_TEXT = 4096


class Hive:
    """A registry hive. Keys and values are found without regard to case; what is damaged or absent is empty."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._root: HiveKey | None = None if stream is None else _quiet(lambda: HiveFile(stream).root)

    @property
    def readable(self) -> bool:
        """Whether it could be opened at all."""
        return self._root is not None

    def values(self, path: str) -> dict[str, Any]:
        """The values of a key, by lower-case name: text, numbers, bytes or lists, as their types say."""
        key = self._key(path)
        found: dict[str, Any] = {}
        for value in _quiet(lambda: list(key.values())) or () if key is not None else ():
            if len(found) < MAX_KEYS:
                found[value.name.lower()] = _content(value)
        return found

    def names(self, path: str) -> tuple[str, ...]:
        """The names of the keys under a key."""
        key = self._key(path)
        keys = _quiet(lambda: list(key.children())) if key is not None else ()
        return tuple(one.name for one in (keys or ())[:MAX_KEYS])

    def _key(self, path: str) -> HiveKey | None:
        root = self._root
        return None if root is None else _quiet(lambda: root.key(path))


def _content(value: HiveValue) -> int | str | list[str] | bytes:
    if value.number is not None:
        return value.number
    return list(value.texts) if value.type == MULTI_SZ else value.text if value.type in (SZ, EXPAND_SZ) else value.data


def _quiet(action: Any) -> Any:
    try:
        return action()
    except MemoryError:
        raise
    except Exception:
        return None


def text(values: dict[str, Any], name: str) -> str:
    """A value as text; empty when absent."""
    found = values.get(name.lower())
    if found is None or isinstance(found, (bytes, list)):
        return ""
    return str(found).split("\0")[0].strip()[:MAX_TEXT]


def _number(values: dict[str, Any], name: str, default: int) -> int:
    found = values.get(name.lower())
    return found if isinstance(found, int) and 0 <= found < 1 << 31 else default


def windows_system(fs: GuestFS, blocks: BlockTable, device: str, os: OsInfo) -> OperatingSystem:
    """The Windows on ``device``, without its mounts. The firmware is the one that the disks are laid out for."""
    root = next((f"/{name}" for name in fs.listdir("/") if name.lower() in _ROOTS), "/Windows")
    problems: list[Problem] = []
    software, system = (_hive(fs, f"{root}/System32/config/{name}", problems) for name in ("SOFTWARE", "SYSTEM"))
    current = software.values(_CURRENT)
    control = f"ControlSet{_number(system.values('Select'), 'Current', 1):03d}"
    facts = WindowsFacts(root, control if system.readable else "", text(current, "EditionID"), text(current, "CurrentBuildNumber"))
    release = _release(current, os)
    hostname = text(system.values(rf"{control}\Services\Tcpip\Parameters"), "Hostname")
    hostname = hostname or text(system.values(rf"{control}\Control\ComputerName\ComputerName"), "ComputerName")
    drives = tuple(_drives(system.values("MountedDevices"), blocks))
    return OperatingSystem(
        device=device,
        release=release,
        arch=os.arch,
        hostname=hostname or os.hostname,
        firmware=firmware(blocks),
        loader="Windows Boot Manager" if release.major >= 6 else "NTLDR" if release.major else "",
        drives=drives,
        applications=tuple(sorted(_programs(software), key=lambda one: one.name)),
        interfaces=tuple(_interfaces(system, control)),
        windows=facts,
        unread=tuple(problems),
        libguestfs=_view(blocks.named(device), release, os, hostname, drives, blocks),
    )


def _hive(fs: GuestFS, path: str, problems: list[Problem]) -> Hive:
    try:
        hive = Hive(fs.open(path))
    except FactUnavailable as reason:
        problems.append(Problem(str(reason.where), reason.reason))
        return Hive(None)
    if not hive.readable:
        problems.append(Problem(str(WholeFile(path)), "no registry hive that can be read"))
    return hive


def _release(current: dict[str, Any], os: OsInfo) -> Release:
    build = text(current, "CurrentBuildNumber")
    version = text(current, "CurrentVersion")
    major, _, minor = version.partition(".")
    numbers = (int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0)
    numbers = (_number(current, "CurrentMajorVersionNumber", numbers[0]), _number(current, "CurrentMinorVersionNumber", numbers[1]))
    variant = text(current, "InstallationType")
    product = text(current, "ProductName") or os.name
    return Release(
        type="windows",
        distro="windows",
        product_name=product.replace("Windows 10", "Windows 11") if _is_eleven(numbers, variant, build) else product,
        variant=variant,
        version=".".join(str(part) for part in (*numbers, build) if part != ""),
        major=numbers[0],
        minor=numbers[1],
        codename=text(current, "DisplayVersion") or text(current, "ReleaseId"),
        build_id=build,
        osinfo=windows_osinfo(numbers, product, variant, build),
    )


def _is_eleven(version: tuple[int, int], variant: str, build: str) -> bool:
    return version == (10, 0) and "Server" not in variant and build.isdecimal() and int(build) >= 22000


_SIX = {0: ("winvista", "win2k8"), 1: ("win7", "win2k8r2"), 2: ("win8", "win2k12"), 3: ("win8.1", "win2k12r2")}


def windows_osinfo(version: tuple[int, int], product: str, variant: str, build: str) -> str:
    """The id in libosinfo's database, or an empty string."""
    server = "Server" in variant
    if version[0] == 5:
        if version[1] == 1 or "XP" in product:
            return "winxp"
        return {0: "win2k", 2: "win2k3r2" if "R2" in product else "win2k3"}.get(version[1], "")
    if version[0] == 6:
        return _SIX.get(version[1], ("", ""))[server]
    if version != (10, 0):
        return ""
    if server:
        return next((f"win2k{year}" for year in ("25", "22", "19") if f"20{year}" in product), "win2k16")
    return "win11" if _is_eleven(version, variant, build) else "win10"


def _programs(software: Hive) -> Iterator[Application]:
    for path in _UNINSTALL:
        for name in software.names(path):
            values = software.values(rf"{path}\{name}")
            if shown := text(values, "DisplayName"):
                publisher = text(values, "Publisher")
                antivirus = _ANTIVIRUS.search("\n".join((name, shown, publisher)))
                yield Application(
                    name=name,
                    display_name=shown,
                    version=text(values, "DisplayVersion"),
                    install_path=text(values, "InstallLocation"),
                    publisher=publisher,
                    url=text(values, "URLInfoAbout"),
                    description=text(values, "Comments"),
                    kind="antivirus" if antivirus else "",
                )
    defender = r"Microsoft\Windows Defender"
    if "Windows Defender" in software.names("Microsoft") and _number(software.values(defender), "DisableAntiVirus", 0) != 1:
        yield Application("WinDefend", display_name="Microsoft Defender Antivirus", publisher="Microsoft Corporation", kind="antivirus")


def _drives(mounted: dict[str, Any], blocks: BlockTable) -> Iterator[DriveLetter]:
    """Drive letters of disks: a disk signature and a partition's offset (MBR), or ``DMIO:ID:`` and the partition's GUID (GPT)."""
    for name, blob in sorted(mounted.items()):
        match = _LETTER.fullmatch(name)
        if match and isinstance(blob, bytes):
            found = next(_partitions(blob, blocks), None)
            if found is not None:
                yield DriveLetter(match[1].upper(), found.name)


def _partitions(blob: bytes, blocks: BlockTable) -> Iterator[BlockDevice]:
    partitions = [device for device in blocks if device.kind == "partition"]
    if len(blob) == 12:
        signature, offset = f"{int.from_bytes(blob[:4], 'little'):08x}", str(int.from_bytes(blob[4:], "little"))
        disks = {disk.disk for disk in blocks.disks if disk.detail("pt_uuid").lower() == signature}
        yield from (one for one in partitions if one.disk in disks and one.detail("start") == offset)
    elif len(blob) >= 24 and blob[:8] == b"DMIO:ID:":
        import uuid

        wanted = str(uuid.UUID(bytes_le=blob[8:24]))
        yield from (one for one in partitions if one.part_uuid.lower() == wanted)


def _interfaces(system: Hive, control: str) -> Iterator[NetworkInterface]:
    """The TCP/IP settings by interface GUID (``Tcpip\\Parameters\\Interfaces``), under the connection's name where one is known."""
    top = rf"{control}\Services\Tcpip\Parameters\Interfaces"
    network = rf"{control}\Control\Network\{{4D36E972-E325-11CE-BFC1-08002BE10318}}"
    for guid in system.names(top):
        values = system.values(rf"{top}\{guid}")
        static = values.get("enabledhcp") == 0
        addresses = [one for one in _list(values, "IPAddress") if one != "0.0.0.0"] if static else []
        if not static and "enabledhcp" not in values:
            continue
        yield NetworkInterface(
            name=text(system.values(rf"{network}\{guid}\Connection"), "Name") or guid,
            kind="ethernet",
            manager="Windows",
            method="static" if static and addresses else "none" if static else "dhcp",
            addresses=tuple(_with_masks(addresses, _list(values, "SubnetMask"))),
            gateways=tuple(_list(values, "DefaultGateway")) if static else (),
            dns=tuple(part for part in re.split(r"[ ,]+", text(values, "NameServer")) if part),
            where=rf"HKLM\SYSTEM\{top}\{guid}",
        )


def _list(values: dict[str, Any], name: str) -> list[str]:
    found = values.get(name.lower())
    items = found if isinstance(found, list) else str(found).split("\0") if isinstance(found, str) else []
    return [str(item).strip() for item in items[:64] if str(item).strip()]


def _with_masks(addresses: Iterable[str], masks: list[str]) -> Iterator[str]:
    import ipaddress

    for index, address in enumerate(addresses):
        mask = masks[index] if index < len(masks) else ""
        try:
            yield f"{address}/{ipaddress.ip_network(f'0.0.0.0/{mask}').prefixlen}" if mask else address
        except ValueError:
            yield address


def _view(
    home: BlockDevice | None, release: Release, os: OsInfo, hostname: str, drives: tuple[DriveLetter, ...], blocks: BlockTable
) -> GuestfsView | None:
    if home is None:
        return None
    path = device_path(home)
    paths = ((drive.letter, blocks.named(drive.device)) for drive in drives)
    return GuestfsView(
        root=path,
        type="windows",
        distro="windows",
        arch=os.arch,
        hostname=hostname,
        product_name=release.product_name.replace("Windows 11", "Windows 10") if release.osinfo == "win11" else release.product_name,
        product_variant=release.variant,
        major=release.major,
        minor=release.minor,
        osinfo=release.osinfo,
        mountpoints=((path, "/"),),
        filesystems=(path,),
        drives=tuple((letter, device_path(found)) for letter, found in paths if found is not None),
    )
