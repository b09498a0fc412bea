"""A Windows root as its registry describes it: product and version, host name, installed programs, drive letters, addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.boot import WindowsBoot
from v2vlint.facts.windows.drives import drives_of
from v2vlint.facts.windows.network import WindowsInterface, interfaces
from v2vlint.facts.windows.programs import InstalledPrograms, WindowsProgram
from v2vlint.facts.windows.registry import RegistryNode, RegistryValue, SoftwareHive, SystemHive
from v2vlint.inspecting.gaps import Gaps
from v2vlint.inspecting.storage import device_path, firmware
from v2vlint.inspecting.windows_drivers import windows_agents, windows_in_use, windows_kernel
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

_CURRENT = r"Microsoft\Windows NT\CurrentVersion"
_MANAGERS = {"bootmgfw.efi": "Windows Boot Manager", "bootmgr": "Windows Boot Manager", "ntldr": "NTLDR"}
MAX_PROGRAMS = 10_000
MAX_TEXT = 4096
Values = Mapping[str, RegistryValue]
T = TypeVar("T")


def windows_system(store: FactStore, device: str, with_applications: bool = True) -> OperatingSystem:
    """The Windows on ``device``, without its mounts. The firmware is the one the disks are laid out for."""
    gaps, blocks, os = Gaps(), store.get(BlockTable), store.get(OsInfo)
    software = gaps.ask(lambda: _software(store), None)
    system = gaps.ask(lambda: store.get(SystemHive).top, None)
    current = _values(software, _CURRENT, gaps)
    # CurrentControlSet is a link that Windows makes when it runs; Select has the number that it will lead to.
    control = f"ControlSet{_number(_values(system, 'Select', gaps), 'Current', 1):03d}"
    release = _release(current, os)
    named = text(_values(system, rf"{control}\Services\Tcpip\Parameters", gaps), "Hostname")
    drives = tuple(_drives(_values(system, "MountedDevices", gaps), blocks))
    return OperatingSystem(
        device=device,
        release=release,
        arch=os.arch,
        hostname=named or os.hostname,
        firmware=firmware(blocks),
        loader=gaps.ask(lambda: _MANAGERS.get(store.get(WindowsBoot).manager.rpartition("/")[2].lower(), ""), ""),
        drives=drives,
        applications=gaps.ask(lambda: _listed(store), ()) if with_applications else (),
        kernels=gaps.ask(lambda: windows_kernel(store), ()),
        drivers=gaps.ask(lambda: windows_in_use(store), ()),
        agents=gaps.ask(lambda: windows_agents(store), ()),
        interfaces=_if_there(system, lambda top: tuple(_interfaces(interfaces(top, control))), (), gaps),
        windows=WindowsFacts(os.system_root, control if system else "", text(current, "EditionID"), text(current, "CurrentBuildNumber")),
        unread=tuple(gaps.problems.values()),
        libguestfs=_view(blocks.named(device), release, os, (text(current, "ProductName"), named), drives, blocks),
    )


def _software(store: FactStore) -> RegistryNode:
    top = store.get(SoftwareHive).top
    if top is None:
        raise FactUnavailable(WholeFile(f"{store.get(OsInfo).system_root}/System32/config/SOFTWARE"), "is absent")
    return top


def _if_there(top: RegistryNode | None, action: Callable[[RegistryNode], T], default: T, gaps: Gaps) -> T:
    return default if top is None else gaps.ask(lambda: action(top), default)


def _values(top: RegistryNode | None, path: str, gaps: Gaps) -> Values:
    """The values of a key by lower-case name; empty when the key does not exist or is damaged."""

    def read(hive: RegistryNode) -> Values:
        key = hive.key(path)
        return {value.name.lower(): value for value in key.values()} if key else {}

    return _if_there(top, read, {}, gaps)


def text(values: Values, name: str) -> str:
    """A value as text, a number in decimal; empty when it does not exist."""
    value = values.get(name.lower())
    if value is None:
        return ""
    return (value.text.strip() if value.number is None else str(value.number))[:MAX_TEXT]


def _number(values: Values, name: str, default: int) -> int:
    value = values.get(name.lower())
    found = value.number if value else None
    return found if found is not None and 0 <= found < 1 << 31 else default


def _release(current: Values, os: OsInfo) -> Release:
    build = text(current, "CurrentBuildNumber")
    version = text(current, "CurrentVersion")
    major, _, minor = version.partition(".")
    numbers = (int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0)
    # CurrentVersion has stayed 6.3 since Windows 8.1.
    numbers = (_number(current, "CurrentMajorVersionNumber", numbers[0]), _number(current, "CurrentMinorVersionNumber", numbers[1]))
    variant = text(current, "InstallationType")
    product = text(current, "ProductName") or os.name
    return Release(
        type="windows",
        distro="windows",
        # ProductName still says Windows 10 there.
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
    # Server 2025 has a build above 22000 too.
    return version == (10, 0) and "Server" not in variant and build.isdecimal() and int(build) >= 22000


_SIX = {0: ("winvista", "win2k8"), 1: ("win7", "win2k8r2"), 2: ("win8", "win2k12"), 3: ("win8.1", "win2k12r2")}


def windows_osinfo(version: tuple[int, int], product: str, variant: str, build: str) -> str:
    """The id in the libosinfo database, or an empty string."""
    server = "Server" in variant
    if version[0] == 5:
        # XP for x64 is version 5.2, as Server 2003 is.
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


def _listed(store: FactStore) -> tuple[Application, ...]:
    found = [_application(program) for program in store.get(InstalledPrograms).programs[:MAX_PROGRAMS]]
    software = store.get(SoftwareHive).top
    # A part of Windows, and so not among the installed programs.
    defender = software.key(r"Microsoft\Windows Defender") if software else None
    if defender and defender.number("DisableAntiVirus") != 1:
        publisher = "Microsoft Corporation"
        found.append(Application("WinDefend", display_name="Microsoft Defender Antivirus", publisher=publisher, kind="antivirus"))
    return tuple(sorted(found, key=lambda one: one.name))


def _application(program: WindowsProgram) -> Application:
    return Application(
        name=program.key[:MAX_TEXT],
        display_name=program.name[:MAX_TEXT],
        version=program.version[:MAX_TEXT],
        install_path=program.folder[:MAX_TEXT],
        publisher=program.publisher[:MAX_TEXT],
        url=program.url[:MAX_TEXT],
        description=program.comments[:MAX_TEXT],
        kind="antivirus" if program.guards else "",
    )


def _drives(mounted: Values, blocks: BlockTable) -> Iterator[DriveLetter]:
    """Drive letters of partitions that exist."""
    yield from (DriveLetter(one.letter, one.device.name) for one in drives_of(mounted.values(), blocks) if one.device is not None)


def _interfaces(found: Iterable[WindowsInterface]) -> Iterator[NetworkInterface]:
    for one in found:
        if one.dhcp is None:
            continue
        addresses = tuple(_with_masks(one)) if not one.dhcp else ()
        yield NetworkInterface(
            name=one.name or one.guid,
            kind="ethernet",
            manager="Windows",
            method="dhcp" if one.dhcp else "static" if addresses else "none",
            addresses=addresses,
            gateways=() if one.dhcp else one.gateways,
            dns=one.dns,
            where=str(one.where),
        )


def _with_masks(one: WindowsInterface) -> Iterator[str]:
    import ipaddress

    for index, address in enumerate(one.addresses):
        mask = one.masks[index] if index < len(one.masks) else ""
        # What Windows writes while no address is set.
        if address == "0.0.0.0":
            continue
        try:
            yield f"{address}/{ipaddress.ip_network(f'0.0.0.0/{mask}').prefixlen}" if mask else address
        except ValueError:
            yield address


def _view(
    home: BlockDevice | None, release: Release, os: OsInfo, names: tuple[str, str], drives: tuple[DriveLetter, ...], blocks: BlockTable
) -> GuestfsView | None:
    """libguestfs takes product and host name unchanged, from one place each."""
    if home is None:
        return None
    path = device_path(home)
    paths = ((drive.letter, blocks.named(drive.device)) for drive in drives)
    return GuestfsView(
        root=path,
        type="windows",
        distro="windows",
        arch=os.arch,
        hostname=names[1],
        product_name=names[0],
        product_variant=release.variant,
        major=release.major,
        minor=release.minor,
        osinfo=release.osinfo,
        mountpoints=((path, "/"),),
        filesystems=(path,),
        drives=tuple((letter, device_path(found)) for letter, found in paths if found is not None and found.kind == "partition"),
    )
