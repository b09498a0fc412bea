"""A root as libguestfs describes it: its order of release files, its names, its reading of fstab. Used for virt-inspector's format.

Written from the behaviour of libguestfs 1.48 and later (``inspect-get-*`` in guestfs(3)); what it does not know stays empty here.
"""

from __future__ import annotations

from collections.abc import Sequence

from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.identity import hostname
from v2vlint.guest.mounts import Mount
from v2vlint.guest.osprobe import GUESTFS_PROGRAMS, architecture
from v2vlint.guest.release_files import RELEASE_FILES, Naming, lsb_release, numbers, read_release_files
from v2vlint.guest.small import exists, is_file, key_values
from v2vlint.inspecting.distros import DISTROS, Distro
from v2vlint.inspecting.guestfs_fstab import guestfs_mounts
from v2vlint.inspecting.storage import device_path
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import GuestfsView

_ROLLING = frozenset({"arch", "gentoo", "void"})
_COARSE = frozenset({"debian", "centos", "circle", "rocky"})
_NOT_KNOWN = Distro("", "", "")
_MAIN_ONLY = frozenset({"buildroot", "cirros", "freedos", "linuxmint", "msdos", "ol", "opensuse-tumbleweed", "redhat", "scientific",
                        "slackware", "suse", "ttylinux", "mandriva", "meego"})  # fmt: skip


def guestfs_view(store: FactStore, device: str, subvolume: str, found: Sequence[Mount] = ()) -> GuestfsView | None:
    """The view of a Linux root. A root that libguestfs would skip has ``found`` mounted; None when its device does not exist."""
    fs, blocks = store.get(GuestFS), store.get(BlockTable)
    home = blocks.named(device)
    if home is None:
        return None
    naming = _naming(fs)
    major, minor = numbers(naming.version)
    distro = DISTROS.get(naming.distro, _NOT_KNOWN).word
    root = device_path(home)
    # The default subvolume goes by its device's name (libguestfs, daemon/listfs.ml).
    root = f"btrfsvol:{root}/{subvolume}" if subvolume and subvolume != home.detail("default_subvolume") else root
    mounts = guestfs_mounts(store, home, root) if _is_root(fs) else _found(blocks, found)
    return GuestfsView(
        root=root,
        type="hurd" if is_file(fs, "/hurd/console") and is_file(fs, "/hurd/null") else "linux",
        distro=distro,
        arch=architecture(fs, GUESTFS_PROGRAMS),
        hostname=hostname(fs),
        product_name=naming.product,
        major=major,
        minor=minor,
        package_format=_package_format(distro),
        package_management=_package_management(fs, distro, major),
        osinfo=guestfs_osinfo(distro, major, minor),
        mountpoints=tuple((path, point) for path, point in mounts if point.startswith("/")) or (() if mounts else ((root, "/"),)),
        filesystems=tuple(path for path, _point in mounts) or (root,),
    )


def _found(blocks: BlockTable, mounts: Sequence[Mount]) -> tuple[tuple[str, str], ...]:
    homes = {blocks.named(mount.device): mount.point for mount in reversed(mounts)}
    return tuple((device_path(home), point) for home, point in reversed(homes.items()) if home is not None)


def _is_root(fs: GuestFS) -> bool:
    try:
        # The test for a Linux root in check_filesystem (libguestfs, daemon/inspect_fs.ml).
        programs = fs.readlink("/bin") in (None, "usr/bin") and (fs.readlink("/bin") is not None or fs.is_dir("/bin"))
        return fs.is_dir("/etc") and programs and (fs.is_file("/etc/fstab") or fs.is_file("/etc/hosts"))
    except FactUnavailable:
        return False


def _naming(fs: GuestFS) -> Naming:
    naming = Naming()
    read_release_files(fs, naming, _FILES)
    return naming


def _os_release(fs: GuestFS, path: str, naming: Naming) -> bool:
    values = key_values(fs, path)
    identity = values.get("ID", "")
    if DISTROS.get(identity, _NOT_KNOWN).word and identity not in _MAIN_ONLY:
        naming.distro = identity
    elif identity.startswith("opensuse-"):
        naming.distro = "opensuse"
    naming.product = values.get("PRETTY_NAME", "") or naming.product
    version = values.get("VERSION_ID", "")
    naming.version = version if any(char.isdecimal() for char in version) else naming.version
    if not naming.distro or not naming.product:
        return False
    # VERSION_ID has no minor number there: libguestfs goes on to the next file (daemon/inspect_fs_unix.ml).
    if naming.distro in _COARSE and naming.version and numbers(naming.version)[1] == 0:
        return False
    return bool(naming.version) or naming.distro in _ROLLING


_FILES = (("/etc/os-release", _os_release), ("/etc/lsb-release", lsb_release), *RELEASE_FILES)


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


# check_package_format and check_package_management (libguestfs, daemon/inspect_fs.ml).
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
    """libguestfs's guess of the id in the libosinfo database, right or wrong; empty for its ``unknown``."""
    # guestfs_impl_inspect_get_osinfo (libguestfs, lib/inspect-osinfo.c).
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
