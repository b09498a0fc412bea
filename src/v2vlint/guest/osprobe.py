"""Identify an operating system by its files: release files, registry, program headers."""

from __future__ import annotations

import re

from v2vlint.disk.fields import Fields
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.identity import hostname, identify
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo

_FAMILIES = {
    "debian": "debian", "ubuntu": "debian", "raspbian": "debian", "linuxmint": "debian", "kali": "debian", "devuan": "debian",
    "rhel": "rhel", "fedora": "rhel", "centos": "rhel", "rocky": "rhel", "almalinux": "rhel", "ol": "rhel", "amzn": "rhel",
    "scientific": "rhel", "sles": "suse", "sled": "suse", "opensuse": "suse", "suse": "suse", "arch": "arch", "archarm": "arch",
    "manjaro": "arch", "alpine": "alpine", "gentoo": "gentoo", "pop": "debian", "zorin": "debian", "elementary": "debian",
    "redhat": "rhel", "cloudlinux": "rhel", "circle": "rhel", "xenenterprise": "rhel", "virtuozzo": "rhel", "eurolinux": "rhel",
    "miraclelinux": "rhel", "opencloudos": "rhel", "tencentos": "rhel", "openEuler": "rhel", "anolis": "rhel", "mageia": "rhel",
    "mandriva": "rhel", "openmandriva": "rhel", "rhcos": "rhel",
}  # fmt: skip
_MACHINES = {3: "i386", 62: "x86_64", 183: "aarch64", 40: "arm", 21: "ppc64le", 22: "s390x", 243: "riscv64", 8: "mips", 258: "loongarch64"}
_EI_DATA, _BIG_ENDIAN = 5, 2  # elf.h: the byte order in e_ident, and ELFDATA2MSB
_ELF_LITTLE, _ELF_BIG = (Fields(order, e_machine=(18, "H")) for order in "<>")
# winnt.h: in IMAGE_DOS_HEADER the position of IMAGE_NT_HEADERS, and the machine in that. The data may end before either.
_E_LFANEW, _NT_MACHINE = slice(60, 64), slice(4, 6)
GUESTFS_PROGRAMS = ("/bin/bash", "/bin/ls", "/bin/echo", "/bin/rm", "/bin/sh")
"""The programs that libguestfs reads the architecture from."""
_PROGRAMS = ("/usr/bin/sh", "/sbin/init", "/bin/busybox", "/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")
DISKLESS = "Alpine Linux (diskless)"
INSTALLER = " (installer)"
"""What the name of a system ends in that has yet to install itself, from a partition that stays when it has."""
_BOOT_INI = re.compile(r"partition\(\d+\)\\([^\\\s=\"]+)")


def linux_info(fs: GuestFS) -> OsInfo:
    """The Linux in ``fs``; unreadable files count as missing."""
    found = identify(fs)
    family = family_of(found.id, found.like)
    name = found.name or found.id or "Linux"
    return OsInfo("linux", found.id, family, name, found.version, architecture(fs), hostname(fs))


def family_of(distro: str, like: str) -> str:
    """The family of os-release(5)'s ``ID``, by it or one of its relatives."""
    for word in (distro, distro.split("-")[0], *like.split()):
        if word in _FAMILIES:
            return _FAMILIES[word]
    return distro or "linux"


def other_info(names: set[str]) -> OsInfo | None:
    """A system that v2vlint only knows by name, from the lower-case names in its top directory; None when there is no match."""
    for marks, name in _OTHERS:
        if marks <= names:
            return OsInfo("other", name.lower(), "other", name)
    return None


_OTHERS = (
    (frozenset({"command.com", "kernel.sys"}), "FreeDOS"),
    (frozenset({"command.com", "io.sys"}), "DOS"),
    (frozenset({"reactos", "freeldr.sys"}), "ReactOS"),
    (frozenset({"system-data", "user-data"}), "Ubuntu Core"),
    (frozenset({"efi", "snaps", "systems"}), f"Ubuntu Core{INSTALLER}"),
    (frozenset({".alpine-release", "apks", "boot"}), DISKLESS),  # what its setup-bootable copies
)


def windows_info(fs: GuestFS) -> OsInfo:
    """The Windows in ``fs``, from its registry where readable."""
    root = windows_folder(fs) or "/Windows"
    values = _hive_values(fs, f"{root}/System32/config/SOFTWARE", "Microsoft\\Windows NT\\CurrentVersion")
    name = values.get("ProductName") or "Windows"
    build = values.get("CurrentBuildNumber") or values.get("CurrentBuild", "")
    if build.isdigit() and int(build) >= 22000:  # ProductName of Windows 11 still says 10
        name = name.replace("Windows 10", "Windows 11")
    version = values.get("CurrentVersion", "")
    if values.get("CurrentMajorVersionNumber"):
        version = f"{values['CurrentMajorVersionNumber']}.{values.get('CurrentMinorVersionNumber', '0')}"
    full = f"{version}.{build}" if version and build else version
    return OsInfo("windows", "windows", "windows", name, full, _windows_arch(fs, root), _windows_host(fs, root), root)


def windows_folder(fs: GuestFS) -> str:
    """The Windows folder as named on the disk (``/Windows``, ``/WINNT``); empty when there is none, or an empty skeleton of one.

    The one that boot.ini starts comes first: Windows XP may be installed anywhere.
    """
    names = {name.lower(): f"/{name}" for name in fs.listdir("/")}
    wanted = (*(match.lower() for match in _BOOT_INI.findall(_boot_ini(fs))), "windows", "winnt", "win32", "win")
    return next((names[name] for name in wanted if name in names and _is_system_root(fs, names[name])), "")


def _is_system_root(fs: GuestFS, folder: str) -> bool:
    system = f"{folder}/System32"
    return fs.is_dir(f"{system}/config") and any(fs.is_file(f"{system}/{name}") for name in ("config/SYSTEM", "cmd.exe", "ntoskrnl.exe"))


def _boot_ini(fs: GuestFS) -> str:
    try:
        return (fs.head("/boot.ini", 4096) or b"").decode("latin-1")
    except FactUnavailable:
        return ""


def _windows_host(fs: GuestFS, root: str) -> str:
    key = f"{_control_set(fs, root)}\\Control\\ComputerName\\ComputerName"
    return _hive_values(fs, f"{root}/System32/config/SYSTEM", key).get("ComputerName", "")


def _control_set(fs: GuestFS, root: str) -> str:
    """The control set of the next boot; ``Current`` is the one of the last."""
    select = _hive_values(fs, f"{root}/System32/config/SYSTEM", "Select")
    number = select.get("Default") or select.get("Current", "1")
    return f"ControlSet{int(number):03d}" if number.isdigit() else "ControlSet001"


def _hive_values(fs: GuestFS, hive: str, path: str) -> dict[str, str]:
    """The values of one key as text; empty when the hive is damaged or has no such key."""
    from v2vlint.disk.hives.reader import HiveFile

    try:
        stream = fs.open(hive)
        key = HiveFile(stream).root.key(path) if stream is not None else None
        return {value.name: value.text or str(value.number or 0) for value in key.values()} if key else {}
    except MemoryError:
        raise
    except Exception:
        return {}


def pe_architecture(head: bytes) -> str | None:
    """The architecture that a program with this beginning is for, empty for one that no guest here has; None when it is no PE file."""
    at = int.from_bytes(head[_E_LFANEW], "little")
    if head[at : at + 4] != b"PE\0\0":
        return None
    return {0x14C: "i386", 0x8664: "x86_64", 0xAA64: "aarch64"}.get(int.from_bytes(head[at:][_NT_MACHINE], "little"), "")


def _windows_arch(fs: GuestFS, root: str) -> str:
    for program in ("ntoskrnl.exe", "cmd.exe"):
        try:
            head = fs.head(f"{root}/System32/{program}", 4096) or b""
        except FactUnavailable:
            continue
        found = pe_architecture(head)
        if found is not None:
            return found
    environment = _hive_values(fs, f"{root}/System32/config/SYSTEM", f"{_control_set(fs, root)}\\Control\\Session Manager\\Environment")
    return {"x86": "i386", "amd64": "x86_64", "arm64": "aarch64"}.get(environment.get("PROCESSOR_ARCHITECTURE", "").lower(), "")


def architecture(fs: GuestFS, paths: tuple[str, ...] = (*GUESTFS_PROGRAMS, *_PROGRAMS, *_LOADERS)) -> str:
    """The architecture of the guest's own programs, by the ELF header of the first of ``paths`` found."""
    for path in paths:
        try:
            head = fs.head(path, 20)
        except FactUnavailable:
            continue
        if head and head[:4] == b"\x7fELF" and len(head) == 20:
            header = _ELF_BIG if head[_EI_DATA] == _BIG_ENDIAN else _ELF_LITTLE
            return _MACHINES.get(header.read(head)["e_machine"], "")
    return ""
