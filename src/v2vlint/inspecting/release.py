"""Which system a root holds, in the words that inspection uses: product, variant, version, packages, how it is deployed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2vlint.guest.fs import GuestFS
from v2vlint.inspecting.distros import Distro, distro_of, manager_of, osinfo_of
from v2vlint.inspecting.text import exists, first_line, key_values
from v2vlint.model.machine import Release
from v2vlint.model.osinfo import OsInfo

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_NUMBERS = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?")
_STREAM = re.compile(r"\bStream\b")
_IMAGES = (
    ("bootc", ("/usr/lib/bootc/install", "/usr/lib/bootc/kargs.d")),
    ("nix", ("/nix/store", "/run/current-system")),
    ("a/b partitions", ("/usr/share/flatcar", "/usr/share/coreos", "/etc/flatcar/update.conf", "/etc/coreos/update.conf")),
    ("transactional-update", ("/usr/sbin/transactional-update",)),
)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What the release file says."""

    id: str
    like: str
    pretty: str
    variant: str
    codename: str
    build: str


def linux_release(fs: GuestFS, os: OsInfo, deployment: str = "") -> Release:
    """The release of a Linux (or Hurd) root; unreadable files count as absent."""
    values = next((found for path in OS_RELEASE if (found := key_values(fs, path))), {})
    stated = _stated(fs, values)
    identity = _identity(fs, stated.id or os.distro)
    version = os.version or values.get("VERSION_ID", "")
    major, minor = numbers(version)
    known = distro_of(identity, stated.like)
    has_dnf = exists(fs, "/usr/bin/dnf")
    return Release(
        type="hurd" if exists(fs, "/hurd/console") and exists(fs, "/hurd/null") else "linux",
        distro=known.word or identity,
        product_name=stated.pretty or _product(fs) or os.name,
        variant=stated.variant,
        version=version,
        major=major,
        minor=minor,
        codename=stated.codename,
        build_id=stated.build,
        osinfo=_osinfo(identity, known, stated, major, minor),
        package_format=known.package_format,
        package_manager=_rpm_ostree(fs, deployment) or manager_of(identity, known, major, has_dnf),
        image=_image(fs, deployment),
    )


def _stated(fs: GuestFS, values: dict[str, str]) -> _Stated:
    pretty = values.get("PRETTY_NAME", "")
    if not values:
        lsb = key_values(fs, "/etc/lsb-release")
        return _Stated("", "", lsb.get("DISTRIB_DESCRIPTION", ""), "", lsb.get("DISTRIB_CODENAME", ""), "")
    codename = values.get("VERSION_CODENAME", "") or _bracketed(values.get("VERSION", ""))
    return _Stated(values.get("ID", ""), values.get("ID_LIKE", ""), pretty, values.get("VARIANT_ID", ""), codename,
                   values.get("BUILD_ID", "") or values.get("IMAGE_VERSION", ""))  # fmt: skip


def _bracketed(version: str) -> str:
    match = re.search(r"\(([^)]+)\)", version)
    return match[1] if match else ""


def _identity(fs: GuestFS, identity: str) -> str:
    """The ID, with the few systems that write another one or none."""
    if identity in ("linux", "redhat") and exists(fs, "/etc/oracle-release"):
        return "ol"
    if identity in ("linux", "") and exists(fs, "/etc/cirros/version"):
        return "cirros"
    return identity or "linux"


def _product(fs: GuestFS) -> str:
    """The release line of systems without os-release."""
    for path in ("/etc/oracle-release", "/etc/centos-release", "/etc/redhat-release", "/etc/SuSE-release", "/etc/gentoo-release",
                 "/etc/slackware-version", "/etc/system-release"):  # fmt: skip
        if line := first_line(fs, path):
            return line
    return ""


def numbers(version: str) -> tuple[int, int]:
    """Major and minor of a version: ``12.5`` → (12, 5), ``v3.19`` → (3, 19), ``tumbleweed`` → (0, 0)."""
    match = _NUMBERS.search(version)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def _osinfo(identity: str, known: Distro, stated: _Stated, major: int, minor: int) -> str:
    if identity == "centos" and _STREAM.search(stated.pretty):
        return f"centos-stream{major}"
    if identity == "fedora" and stated.variant in ("silverblue", "coreos"):
        return f"silverblue{major}" if stated.variant == "silverblue" else "fedora-coreos-stable"
    if identity == "debian" and not major:
        return "debiantesting"
    return osinfo_of(identity, known, major, minor)


def _rpm_ostree(fs: GuestFS, deployment: str) -> str:
    return "rpm-ostree" if deployment and exists(fs, "/usr/bin/rpm-ostree") else ""


def _image(fs: GuestFS, deployment: str) -> str:
    """How the system gets onto the disk when not package by package."""
    found = next((name for name, paths in _IMAGES if any(exists(fs, path) for path in paths)), "")
    if deployment:
        return found if found == "bootc" else "ostree"
    return "" if found == "bootc" else found


def other_release(os: OsInfo) -> Release:
    """The release of a system that is known by name only."""
    words = {"freedos": ("dos", "freedos", "freedos1.2"), "dos": ("dos", "msdos", "")}
    kind, distro, osinfo = words.get(os.distro, ("other", os.distro, ""))
    return Release(kind, distro, os.name, version=os.version, osinfo=osinfo)
