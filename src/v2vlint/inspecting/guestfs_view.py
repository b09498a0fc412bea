"""A root as libguestfs describes it: its order of release files, its names, its reading of fstab; for output in virt-inspector's form.

Written from the behaviour of libguestfs 1.48 and later (``inspect-get-*`` in guestfs(3)); what it does not know stays empty here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.osprobe import architecture
from v2vlint.inspecting.distros import DISTROS
from v2vlint.inspecting.guestfs_fstab import guestfs_mounts
from v2vlint.inspecting.storage import device_path
from v2vlint.inspecting.text import exists, first_line, is_file, key_values, small
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import GuestfsView

_ROLLING = frozenset({"archlinux", "gentoo", "voidlinux"})
_COARSE = frozenset({"debian", "centos", "circle", "rocky"})
_PROGRAMS = ("/bin/bash", "/bin/ls", "/bin/echo", "/bin/rm", "/bin/sh")
_VERSION = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?")
_WORDS = {identity: known.word for identity, known in DISTROS.items() if known.word} | {"coreos": "coreos", "openEuler": "openeuler"}
_LSB = {"CoreOS": "coreos", "LinuxMint": "linuxmint", "Mageia": "mageia", "Ubuntu": "ubuntu"}
_MAIN_ONLY = frozenset({"buildroot", "cirros", "freedos", "linuxmint", "msdos", "ol", "opensuse-tumbleweed", "redhat", "scientific",
                        "slackware", "suse", "ttylinux", "mandriva", "meego"})  # fmt: skip


@dataclass(slots=True)
class _Naming:
    """What has been found so far; a parser that fails leaves behind what it found."""

    distro: str = ""
    product: str = ""
    version: tuple[int, int] | None = None


def guestfs_view(store: FactStore, device: str, subvolume: str) -> GuestfsView | None:
    """The view of a Linux root; None when libguestfs would not take it for one."""
    fs, blocks = store.get(GuestFS), store.get(BlockTable)
    home = blocks.named(device)
    if home is None or not _is_root(fs):
        return None
    naming = _naming(fs)
    major, minor = naming.version or (0, 0)
    root = device_path(home)
    root = f"btrfsvol:{root}/{subvolume}" if subvolume and subvolume != home.detail("default_subvolume") else root
    mounts = guestfs_mounts(store, home, root)
    return GuestfsView(
        root=root,
        type="hurd" if is_file(fs, "/hurd/console") and is_file(fs, "/hurd/null") else "linux",
        distro=naming.distro,
        arch=architecture(fs, _PROGRAMS),
        hostname=_hostname(fs),
        product_name=naming.product,
        major=major,
        minor=minor,
        package_format=_package_format(naming.distro),
        package_management=_package_management(fs, naming.distro, major),
        osinfo=guestfs_osinfo(naming.distro, major, minor),
        mountpoints=tuple((path, point) for path, point in mounts if point.startswith("/")) or (() if mounts else ((root, "/"),)),
        filesystems=tuple(path for path, _point in mounts) or (root,),
    )


def _is_root(fs: GuestFS) -> bool:
    try:
        programs = fs.readlink("/bin") in (None, "usr/bin") and (fs.readlink("/bin") is not None or fs.is_dir("/bin"))
        return fs.is_dir("/etc") and programs and (fs.is_file("/etc/fstab") or fs.is_file("/etc/hosts"))
    except FactUnavailable:
        return False


def _naming(fs: GuestFS) -> _Naming:
    naming = _Naming()
    for path, parse in _TESTS:
        if is_file(fs, path) and parse(fs, path, naming):
            break
    return naming


def _os_release(fs: GuestFS, path: str, naming: _Naming) -> bool:
    values = key_values(fs, path)
    identity = values.get("ID", "")
    word = "opensuse" if identity.startswith("opensuse-") else _WORDS.get(identity, "") if identity not in _MAIN_ONLY else ""
    naming.distro = word or naming.distro
    naming.product = values.get("PRETTY_NAME", "") or naming.product
    if "VERSION_ID" in values:
        _set_version(naming, values["VERSION_ID"])
    if not naming.distro or not naming.product:
        return False
    if naming.distro in _COARSE and naming.version and naming.version[1] == 0:
        return False
    if naming.distro in _ROLLING and naming.version is None:
        naming.version = (0, 0)
    return naming.version is not None


def _set_version(naming: _Naming, text: str) -> None:
    if match := _VERSION.search(text):
        naming.version = (int(match[1]), int(match[2] or 0))


def _lsb_release(fs: GuestFS, path: str, naming: _Naming) -> bool:
    values = key_values(fs, path)
    naming.distro = _LSB.get(values.get("DISTRIB_ID", ""), naming.distro)
    if "DISTRIB_RELEASE" in values:
        _set_version(naming, values["DISTRIB_RELEASE"])
    naming.product = values.get("DISTRIB_DESCRIPTION", naming.product)
    return values.get("DISTRIB_ID", "") in _LSB or "DISTRIB_DESCRIPTION" in values


def _generic(distro: str, pattern: str = "") -> Callable[[GuestFS, str, _Naming], bool]:
    """A release file of one line; without a pattern any line will do, and the first numbers in it are the version."""
    compiled = re.compile(pattern or _VERSION.pattern)

    def parse(fs: GuestFS, path: str, naming: _Naming) -> bool:
        line = first_line(fs, path)
        if not line:
            return False
        naming.product, naming.distro = line, distro
        match = compiled.search(line)
        if match is None:
            return not pattern
        numbers = [int(group) for group in match.groups() if group is not None]
        if numbers:
            naming.version = (numbers[0], numbers[1] if len(numbers) > 1 else 0)
        return True

    return parse


def _fixed(distro: str) -> Callable[[GuestFS, str, _Naming], bool]:
    def parse(_fs: GuestFS, _path: str, naming: _Naming) -> bool:
        naming.distro = distro
        return True

    return parse


def _suse_release(fs: GuestFS, path: str, naming: _Naming) -> bool:
    lines = small(fs, path).splitlines()
    if not lines:
        return False
    naming.product = lines[0]
    if re.match(r"SUSE (?:Linux|LINUX) Enterprise |Novell Linux Desktop ", lines[0]):
        numbers = [re.match(rf"{key} = (\d{{1,9}})", line) for key, line in zip(("VERSION", "PATCHLEVEL"), lines[1:], strict=False)]
        naming.distro = "sles"
        if numbers and numbers[0]:
            minor = numbers[1] if len(numbers) > 1 else None
            naming.version = (int(numbers[0][1]), int(minor[1]) if minor else 0)
    elif re.match(r"(?:openSUSE|SuSE Linux|SUSE LINUX) ", lines[0]):
        naming.distro = "opensuse"
        _set_version(naming, lines[1] if len(lines) > 1 else "")
    return True


def _br_version(fs: GuestFS, path: str, naming: _Naming) -> bool:
    return _generic("cirros" if is_file(fs, "/usr/share/cirros/logo") else "buildroot")(fs, path, naming)


def _enterprise(name: str, distro: str) -> tuple[Callable[[GuestFS, str, _Naming], bool], ...]:
    patterns = (rf"{name}.*release (\d+).*Update (\d+)", rf"{name}.*release (\d+)\.(\d+)", rf"{name}.*release (\d+)")
    return tuple(_generic(distro, pattern) for pattern in patterns)


def _tests() -> Iterator[tuple[str, Callable[[GuestFS, str, _Naming], bool]]]:
    """Release files in libguestfs's order, each with its parser; the first that succeeds ends the search."""
    yield from (("/etc/os-release", _os_release), ("/etc/lsb-release", _lsb_release))
    yield "/etc/openmandriva-release", _generic("openmandriva", r"OpenMandriva.*release (\d+)\.(\d+)")
    yield "/etc/opencloudos-release", _generic("opencloudos", r"OpenCloudOS.*release (\d+)")
    yield "/etc/tencentos-release", _generic("tencentos", r"TencentOS.* (\d+)\.(\d+)")
    own = (("oracle", "Oracle Linux", "oraclelinux"), ("centos", "CentOS", "centos"), ("circle", "Circle Linux", "circle"),
           ("rocky", "Rocky Linux", "rocky"))  # fmt: skip
    for file, name, distro in own:
        yield from ((f"/etc/{file}-release", parse) for parse in _enterprise(name, distro))
    yield "/etc/altlinux-release", _generic("altlinux")
    yield "/etc/redhat-release", _generic("fedora", r"Fedora release (\d+)")
    shared = (("Red Hat", "rhel"), ("CentOS", "centos"), ("Circle Linux", "circle"), ("Rocky Linux", "rocky"),
              ("Scientific Linux", "scientificlinux"))  # fmt: skip
    for name, distro in shared:
        yield from (("/etc/redhat-release", parse) for parse in _enterprise(name, distro))
    yield from (("/etc/redhat-release", _generic("redhat-based")), ("/etc/redhat-release", _fixed("redhat-based")))
    yield from (("/etc/debian_version", _generic("debian")), ("/etc/pardus-release", _generic("pardus")))
    yield from (("/etc/arch-release", _fixed("archlinux")), ("/etc/gentoo-release", _generic("gentoo")))
    yield from (("/etc/meego-release", _generic("meego")), ("/etc/slackware-version", _generic("slackware")))
    yield from (("/etc/ttylinux-target", _generic("ttylinux")), ("/etc/SuSE-release", _suse_release))
    yield from (("/etc/SuSE-release", _fixed("suse-based")), ("/etc/cirros/version", _generic("cirros")))
    yield from (("/etc/br-version", _br_version), ("/etc/alpine-release", _generic("alpinelinux")))
    yield "/etc/frugalware-release", _generic("frugalware", r"Frugalware (\d+)\.(\d+)")
    yield "/etc/pld-release", _generic("pldlinux", r"(\d+)\.(\d+) PLD Linux")


_TESTS = tuple(_tests())


def _hostname(fs: GuestFS) -> str:
    for path in ("/etc/HOSTNAME", "/etc/hostname"):
        kept = [line for line in small(fs, path).splitlines() if line and not line.startswith("#")]
        if kept:
            return kept[0]
    return key_values(fs, "/etc/sysconfig/network").get("HOSTNAME", "")


_RPM = frozenset({
    "altlinux", "centos", "circle", "fedora", "kylin", "mageia", "mandriva", "meego", "neokylin", "opencloudos", "tencentos", "openeuler",
    "openmandriva", "opensuse", "oraclelinux", "redhat-based", "rhel", "rocky", "scientificlinux", "sles", "suse-based",
})  # fmt: skip
_DEB = frozenset({"debian", "kalilinux", "linuxmint", "ubuntu"})
_OTHER_FORMATS = {"archlinux": "pacman", "gentoo": "ebuild", "pardus": "pisi", "alpinelinux": "apk", "voidlinux": "xbps"}
_BY_AGE = frozenset({"centos", "circle", "kylin", "oraclelinux", "redhat-based", "rhel", "rocky", "scientificlinux"})
_MANAGERS = {
    "meego": "yum", "neokylin": "dnf", "altlinux": "apt", "archlinux": "pacman", "gentoo": "portage", "pardus": "pisi", "mageia": "urpmi",
    "mandriva": "urpmi", "opensuse": "zypper", "sles": "zypper", "suse-based": "zypper", "alpinelinux": "apk", "voidlinux": "xbps",
    "openmandriva": "dnf", "opencloudos": "dnf", "tencentos": "dnf", "openeuler": "dnf",
}  # fmt: skip


def _package_format(distro: str) -> str:
    return "rpm" if distro in _RPM else "deb" if distro in _DEB else _OTHER_FORMATS.get(distro, "")


def _package_management(fs: GuestFS, distro: str, major: int) -> str:
    if distro in _DEB:
        return "apt"
    if distro == "fedora":
        return "dnf" if major >= 22 and exists(fs, "/usr/bin/dnf") else "yum" if major >= 1 else ""
    if distro in _BY_AGE:
        return "dnf" if major >= 8 else "yum" if major >= 5 else "up2date" if major >= 2 else ""
    return _MANAGERS.get(distro, "")


def guestfs_osinfo(distro: str, major: int, minor: int) -> str:
    """libguestfs's guess at the id in libosinfo's database, right or wrong; empty for its ``unknown``."""
    if distro in ("archlinux", "gentoo", "voidlinux"):
        return distro
    if distro in ("fedora", "mageia"):
        return f"{distro}{major}"
    if distro == "sles":
        return ("sle" if major >= 15 else "sles") + f"{major}" + (f"sp{minor}" if minor else "")
    if distro == "ubuntu":
        return f"ubuntu{major}.{minor:02d}"
    if distro == "altlinux" and major >= 8:
        return f"alt{major}.{minor}"
    if distro == "centos" and major == 7:
        return "centos7.0"
    whole = (distro in ("centos", "circle", "rocky") and major >= 8) or (distro == "debian" and major >= 4)
    if whole:
        return f"{distro}{major}"
    return f"{distro}{major}.{minor}" if distro and (major or minor) else ""
