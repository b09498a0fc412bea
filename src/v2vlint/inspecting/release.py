"""The system in a root, in inspection's terms: product, variant, version, package manager, deployment method."""

from __future__ import annotations

import re

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.identity import SystemIdentity, identify
from v2vlint.guest.release_files import numbers
from v2vlint.guest.small import exists
from v2vlint.inspecting.distros import Distro, distro_of, manager_of, osinfo_of
from v2vlint.model.machine import Release
from v2vlint.model.osinfo import OsInfo

_STREAM = re.compile(r"\bStream\b")
_IMAGES = (
    ("bootc", ("/usr/lib/bootc/install", "/usr/lib/bootc/kargs.d")),
    ("nix", ("/nix/store", "/run/current-system")),
    ("a/b partitions", ("/usr/share/flatcar", "/usr/share/coreos", "/etc/flatcar/update.conf", "/etc/coreos/update.conf")),
    ("transactional-update", ("/usr/sbin/transactional-update",)),
)


def linux_release(fs: GuestFS, os: OsInfo, deployment: str = "") -> Release:
    """The release of a Linux (or Hurd) root; unreadable files count as missing."""
    found = identify(fs)
    identity = found.id or "linux"
    major, minor = numbers(found.version)
    known = distro_of(identity, found.like)
    has_dnf = exists(fs, "/usr/bin/dnf")
    return Release(
        # Servers that only the Hurd has, as in libguestfs (daemon/inspect_fs.ml).
        type="hurd" if exists(fs, "/hurd/console") and exists(fs, "/hurd/null") else "linux",
        distro=known.word or identity,
        product_name=found.product or os.name,
        variant=found.variant,
        version=found.version,
        major=major,
        minor=minor,
        codename=found.codename,
        build_id=found.build,
        osinfo=_osinfo(identity, known, found, major, minor),
        package_format=known.package_format,
        package_manager=_rpm_ostree(fs, deployment) or manager_of(identity, known, major, has_dnf),
        image=_image(fs, deployment),
    )


def _osinfo(identity: str, known: Distro, stated: SystemIdentity, major: int, minor: int) -> str:
    if identity == "centos" and _STREAM.search(stated.product):
        return f"centos-stream{major}"
    if identity == "fedora" and stated.variant in ("silverblue", "coreos"):
        return f"silverblue{major}" if stated.variant == "silverblue" else "fedora-coreos-stable"
    # The os-release of testing and unstable has no VERSION_ID.
    if identity == "debian" and not major:
        return "debiantesting"
    return osinfo_of(identity, known, major, minor)


def _rpm_ostree(fs: GuestFS, deployment: str) -> str:
    return "rpm-ostree" if deployment and exists(fs, "/usr/bin/rpm-ostree") else ""


def _image(fs: GuestFS, deployment: str) -> str:
    """How the system is deployed, if not package by package."""
    found = next((name for name, paths in _IMAGES if any(exists(fs, path) for path in paths)), "")
    if deployment:
        return found if found == "bootc" else "ostree"
    # The tool bootc can be installed on any system; only a deployment makes it an image.
    return "" if found == "bootc" else found


def other_release(os: OsInfo) -> Release:
    """The release of a system that is known only by name."""
    words = {"freedos": ("dos", "freedos", "freedos1.2"), "dos": ("dos", "msdos", "")}
    kind, distro, osinfo = words.get(os.distro, ("other", os.distro, ""))
    return Release(kind, distro, os.name, version=os.version, osinfo=osinfo)
