"""Which Linux system a root contains and what it calls itself, by its release files. Every report uses this one module."""

from __future__ import annotations

import re

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.release_files import LSB, RELEASE_FILES, Naming, Parser, enterprise, numbers, one_line, read_release_files
from v2vlint.guest.small import exists, first_line, key_values, small
from v2vlint.guest.text import split_lines
from v2vlint.model.dataclass import dataclass

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_FINER = {
    "debian": ("debian_version",), "raspbian": ("debian_version",), "alpine": ("alpine-release",), "gentoo": ("gentoo-release",),
    "centos": ("centos-release", "redhat-release"), "rocky": ("rocky-release", "redhat-release"),
    "circle": ("circle-release", "redhat-release"),
}  # fmt: skip
_LSB = LSB | {
    "AltLinux": "altlinux", "Arch": "arch", "CentOS": "centos", "Debian": "debian", "Fedora": "fedora", "Kali": "kali",
    "MandrivaLinux": "mandriva", "ManjaroLinux": "manjaro", "OracleServer": "ol", "Pop": "pop", "RedHatEnterpriseServer": "rhel",
    "Scientific": "scientific", "Zorin": "zorin", "elementary": "elementary",
}  # fmt: skip
_KNOWN_FIRST: tuple[tuple[str, Parser], ...] = (
    *(("/etc/enterprise-release", parse) for parse in enterprise("Enterprise Linux", "ol")),
    ("/etc/mageia-release", one_line("mageia", r"Mageia release (\d+)")),
    ("/etc/mandriva-release", one_line("mandriva", r"Mandriva.* release (\d+)\.(\d+)")),
)
_KNOWN_LAST: tuple[tuple[str, Parser], ...] = (("/etc/system-release", one_line("amzn", r"Amazon Linux.* (\d+)")),)
# Systems with a redhat-release of their own, told by its text.
_LIKE_RED_HAT = (
    ("Red Hat Linux", "redhat"), ("AlmaLinux", "almalinux"), ("CloudLinux", "cloudlinux"), ("XenServer", "xenenterprise"),
    ("XCP-ng", "xenenterprise"), ("Citrix Hypervisor", "xenenterprise"), ("Oracle", "ol"), ("Enterprise Linux Enterprise Linux", "ol"),
    ("Amazon Linux", "amzn"), ("Virtuozzo", "virtuozzo"), ("EuroLinux", "eurolinux"), ("MIRACLE LINUX", "miraclelinux"),
    ("Mageia", "mageia"), ("Mandriva", "mandriva"),
)  # fmt: skip
_NAMES = {"debian": "Debian GNU/Linux", "alpine": "Alpine Linux", "arch": "Arch Linux", "pld": "PLD Linux", "buildroot": "Buildroot",
          "cirros": "CirrOS", "redhat": "Red Hat", "suse": "SUSE Linux", "slackware": "Slackware", "gentoo": "Gentoo"}  # fmt: skip
_UP_TO_VERSION = re.compile(r"\s+(?:(?:release|version)\s+)?[vV]?\d")
_CODENAME = re.compile(r"release\s[^(]*\(([^()]+)\)$")
_FIRST_NUMBER = re.compile(r"\d[\d.]*")


@dataclass(frozen=True, slots=True)
class SystemIdentity:
    """A system's description of itself. ``id`` is that of os-release(5), assigned to older systems too; empty when unknown.

    ``like`` holds the IDs of its relatives, space-separated; ``name`` is short (``Debian GNU/Linux``), ``product`` is the display name
    (``Debian GNU/Linux 12 (bookworm)``), ``version`` is complete (``12.5``), ``variant`` is the edition.
    """

    id: str = ""
    like: str = ""
    name: str = ""
    product: str = ""
    version: str = ""
    codename: str = ""
    variant: str = ""
    build: str = ""


def identify(fs: GuestFS) -> SystemIdentity:
    """Read os-release if it names the system, then lsb-release, then release files; unreadable files count as missing."""
    values = _os_release(fs)
    return _by_os_release(fs, values) if values else _by_lsb_release(fs) or _by_release_file(fs)


def id_as_written(fs: GuestFS) -> str:
    """The ID in os-release; libguestfs knows it in lower case only."""
    return _os_release(fs).get("ID", "")


def _os_release(fs: GuestFS) -> dict[str, str]:
    return next((found for path in OS_RELEASE if (found := key_values(fs, path)).get("ID")), {})


def _by_os_release(fs: GuestFS, values: dict[str, str]) -> SystemIdentity:
    # os-release(5) wants lower case; what reads it does not care.
    identity = values["ID"].lower()
    version = _finer(fs, identity, values.get("VERSION_ID", "") or _stated_elsewhere(fs, identity))
    return SystemIdentity(
        identity,
        values.get("ID_LIKE", ""),
        values.get("NAME", ""),
        values.get("PRETTY_NAME", ""),
        version,
        values.get("VERSION_CODENAME", "") or _bracketed(values.get("VERSION", "")),
        values.get("VARIANT_ID", ""),
        values.get("BUILD_ID", "") or values.get("IMAGE_VERSION", ""),
    )


def _stated_elsewhere(fs: GuestFS, identity: str) -> str:
    """The version of this system by its older release files."""
    found = _by_lsb_release(fs) or _by_release_file(fs)
    return found.version if found.id == identity else ""


def _finer(fs: GuestFS, identity: str, version: str) -> str:
    """``12.5`` where os-release has only the major version, or none, and another file has the complete one."""
    lines = (first_line(fs, f"/etc/{name}") for name in _FINER.get(identity, ()))
    match = next((found for line in lines if (found := _FIRST_NUMBER.search(line))), None)
    if match is None:
        return version
    finer = match[0].rstrip(".")
    same = numbers(finer)[0] == numbers(version)[0] if version else identity == "gentoo"
    return finer if same else version


def _bracketed(version: str) -> str:
    match = re.search(r"\(([^)]+)\)", version)
    return match[1] if match else ""


def _by_lsb_release(fs: GuestFS) -> SystemIdentity | None:
    values = key_values(fs, "/etc/lsb-release")
    identity = _LSB.get(values.get("DISTRIB_ID", ""), "")
    if not identity:
        return None
    version = _finer(fs, identity, values.get("DISTRIB_RELEASE", ""))
    product = values.get("DISTRIB_DESCRIPTION", "")
    return SystemIdentity(identity, "", _short(product) or values["DISTRIB_ID"], product, version, values.get("DISTRIB_CODENAME", ""))


def _by_release_file(fs: GuestFS) -> SystemIdentity:
    naming = Naming()
    if not read_release_files(fs, naming, (*_KNOWN_FIRST, *RELEASE_FILES, *_KNOWN_LAST)):
        return SystemIdentity("cirros", name="CirrOS") if exists(fs, "/etc/cirros/version") else SystemIdentity()
    identity = naming.distro
    if identity in ("redhat", "rhel"):
        identity = next((one for words, one in _LIKE_RED_HAT if words in naming.product), identity)
    if identity == "sles" and "Desktop" in naming.product:
        identity = "sled"
    codename = _CODENAME.search(naming.product)
    name = _short(naming.product) or _NAMES.get(identity, "")
    return SystemIdentity(identity, "", name, naming.product, naming.version, codename[1] if codename else "")


def _short(product: str) -> str:
    """``CentOS`` from ``CentOS release 5.11 (Final)``; empty when the text starts with the version."""
    return _UP_TO_VERSION.split(f" {product}", maxsplit=1)[0].strip()


def hostname(fs: GuestFS) -> str:
    """The configured host name, or an empty string: from systemd's file, older ones, then settings sourced by scripts."""
    for path in ("/etc/hostname", "/etc/HOSTNAME"):
        lines = (line.strip() for line in split_lines(small(fs, path)))
        if found := next((line for line in lines if line and not line.startswith("#")), ""):
            return found
    network = key_values(fs, "/etc/sysconfig/network", sourced=True).get("HOSTNAME", "")
    return network or key_values(fs, "/etc/conf.d/hostname", sourced=True).get("hostname", "")
