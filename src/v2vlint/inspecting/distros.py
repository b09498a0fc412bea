"""Known distributions by their ID in os-release(5): name, package manager, id in the libosinfo database."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Distro:
    """``word`` is libguestfs's name for it (empty: unknown to libguestfs), ``osinfo`` the pattern of its libosinfo id.

    In ``osinfo``, ``{0}`` is the major and ``{1}`` the minor version; without braces it is the id itself.
    """

    word: str
    package_format: str
    package_manager: str
    osinfo: str = ""


_RPM_DNF, _RPM_ZYPPER, _DEB = ("rpm", "dnf"), ("rpm", "zypper"), ("deb", "apt")
_PACMAN, _APK, _EBUILD, _NONE = ("pacman", "pacman"), ("apk", "apk"), ("ebuild", "portage"), ("", "")

DISTROS: dict[str, Distro] = {
    "almalinux": Distro("", *_RPM_DNF, "almalinux{0}"),
    "alpine": Distro("alpinelinux", *_APK, "alpinelinux{0}.{1}"),
    "alt": Distro("", "rpm", "apt", "alt{0}.{1}"),
    "altlinux": Distro("altlinux", "rpm", "apt", "alt{0}.{1}"),
    "amzn": Distro("", *_RPM_DNF),
    "anolis": Distro("", *_RPM_DNF),
    "arch": Distro("archlinux", *_PACMAN, "archlinux"),
    "archarm": Distro("", *_PACMAN, "archlinux"),
    "artix": Distro("", *_PACMAN),
    "asahi": Distro("", *_RPM_DNF),
    "astra": Distro("", *_DEB),
    "azurelinux": Distro("", "rpm", "tdnf"),
    "bazzite": Distro("", *_RPM_DNF),
    "bottlerocket": Distro("", *_NONE),
    "buildroot": Distro("buildroot", *_NONE),
    "cachyos": Distro("", *_PACMAN),
    "centos": Distro("centos", *_RPM_DNF, "centos{0}"),
    "chainguard": Distro("", *_APK),
    "circle": Distro("circle", *_RPM_DNF, "circle{0}"),
    "cirros": Distro("cirros", *_NONE),
    "clear-linux-os": Distro("", "", "swupd", "clearlinux"),
    "cloudlinux": Distro("", *_RPM_DNF),
    "common-base-linux-mariner": Distro("", "rpm", "tdnf"),
    "coreos": Distro("coreos", *_NONE),
    "cos": Distro("", *_NONE),
    "debian": Distro("debian", *_DEB, "debian{0}"),
    "deepin": Distro("", *_DEB),
    "devuan": Distro("", *_DEB),
    "elementary": Distro("", *_DEB, "elementary{0}.{1}"),
    "endeavouros": Distro("", *_PACMAN),
    "endless": Distro("", *_DEB, "eos{0}.{1}"),
    "eurolinux": Distro("", *_RPM_DNF),
    "fedora": Distro("fedora", *_RPM_DNF, "fedora{0}"),
    "flatcar": Distro("", *_NONE),
    "freedos": Distro("freedos", *_NONE, "freedos1.2"),
    "frugalware": Distro("frugalware", *_NONE),
    "gentoo": Distro("gentoo", *_EBUILD, "gentoo"),
    "guix": Distro("", "guix", "guix", "guix-latest"),
    "kali": Distro("kalilinux", *_DEB),
    "kylin": Distro("kylin", *_RPM_DNF),
    "linuxmint": Distro("linuxmint", *_DEB),
    "mageia": Distro("mageia", "rpm", "urpmi", "mageia{0}"),
    "mandriva": Distro("mandriva", "rpm", "urpmi"),
    "manjaro": Distro("", *_PACMAN, "manjaro"),
    "mariner": Distro("", "rpm", "tdnf"),
    "meego": Distro("meego", "rpm", "yum"),
    "miraclelinux": Distro("", *_RPM_DNF, "miraclelinux{0}.{1}"),
    "msdos": Distro("msdos", *_NONE),
    "neokylin": Distro("neokylin", *_RPM_DNF),
    "nixos": Distro("", "nix", "nix", "nixos-{0:02d}.{1:02d}"),
    "ol": Distro("oraclelinux", *_RPM_DNF, "ol{0}.{1}"),
    "openEuler": Distro("openeuler", *_RPM_DNF),
    "opencloudos": Distro("opencloudos", *_RPM_DNF),
    "openmandriva": Distro("openmandriva", *_RPM_DNF),
    "opensuse": Distro("opensuse", *_RPM_ZYPPER, "opensuse{0}.{1}"),
    "opensuse-tumbleweed": Distro("opensuse", *_RPM_ZYPPER, "opensusetumbleweed"),
    "openwrt": Distro("", "ipk", "opkg"),
    "pardus": Distro("pardus", "pisi", "pisi"),
    "parrot": Distro("", *_DEB),
    "photon": Distro("", "rpm", "tdnf"),
    "pld": Distro("pldlinux", "rpm", "poldek"),
    "pop": Distro("", *_DEB, "popos{0}.{1:02d}"),
    "pureos": Distro("", *_DEB, "pureos{0}"),
    "raspbian": Distro("", *_DEB),
    "redhat": Distro("redhat-based", *_RPM_DNF),
    "redos": Distro("", *_RPM_DNF),
    "rhcos": Distro("", "rpm", ""),
    "rhel": Distro("rhel", *_RPM_DNF, "rhel{0}.{1}"),
    "rocky": Distro("rocky", *_RPM_DNF, "rocky{0}"),
    "scientific": Distro("scientificlinux", "rpm", "yum", "scientificlinux{0}.{1}"),
    "slackware": Distro("slackware", "txz", "pkgtool", "slackware{0}.{1}"),
    "sle-micro": Distro("", *_RPM_ZYPPER, "slem{0}.{1}"),
    "sled": Distro("sles", *_RPM_ZYPPER, "sled"),
    "sles": Distro("sles", *_RPM_ZYPPER, "sles"),
    "solus": Distro("", "eopkg", "eopkg"),
    "steamos": Distro("", *_PACMAN),
    "suse": Distro("suse-based", *_RPM_ZYPPER),
    "talos": Distro("", *_NONE),
    "tencentos": Distro("tencentos", *_RPM_DNF),
    "ttylinux": Distro("ttylinux", *_NONE),
    "ubuntu": Distro("ubuntu", *_DEB, "ubuntu{0}.{1:02d}"),
    "ubuntu-core": Distro("", "snap", "snap"),
    "virtuozzo": Distro("", *_RPM_DNF),
    "void": Distro("voidlinux", "xbps", "xbps", "voidlinux"),
    "wolfi": Distro("", *_APK),
    "xenenterprise": Distro("", "rpm", "yum"),
    "zorin": Distro("", *_DEB),
}
"""By ID, including those unknown to libguestfs, whose first word is empty."""

_FAMILIES = {
    "rhel": _RPM_DNF, "fedora": _RPM_DNF, "centos": _RPM_DNF, "suse": _RPM_ZYPPER, "opensuse": _RPM_ZYPPER, "debian": _DEB,
    "ubuntu": _DEB, "arch": _PACMAN, "alpine": _APK, "gentoo": _EBUILD,
}  # fmt: skip


def distro_of(identity: str, like: str = "") -> Distro:
    """The entry for the distribution ``identity``; one missing from the table gets the package manager of those it is ``like``."""
    found = DISTROS.get(identity)
    if found is None and identity.startswith("opensuse-"):
        found = DISTROS["opensuse"]
    if found is not None:
        return found
    packages = next((_FAMILIES[word] for word in like.split() if word in _FAMILIES), _NONE)
    return Distro("", *packages)


def manager_of(identity: str, known: Distro, major: int, has_dnf: bool) -> str:
    """The package manager of a release: the table's, except for systems older than dnf."""
    if identity == "amzn":
        return "dnf" if major >= 2022 else "yum"
    if known.package_manager != "dnf":
        return known.package_manager
    # The releases are those in libguestfs (daemon/inspect_fs.ml).
    if identity == "fedora":
        return "dnf" if major >= 22 and has_dnf else "yum"
    if major >= 8 or not major:
        return "dnf"
    return "yum" if major >= 5 else "up2date" if major >= 2 else "dnf"


def osinfo_of(identity: str, known: Distro, major: int, minor: int) -> str:
    """The id in the libosinfo database, or an empty string if it has none."""
    if known.osinfo in ("sles", "sled"):
        # From 15 on, osinfo-db has one entry for server and desktop.
        base = known.osinfo if major < 15 else "sle"
        return f"{base}{major}" + (f"sp{minor}" if minor else "")
    if identity == "centos":
        # osinfo-db has the minor versions up to 7.0 only.
        return f"centos{major}" if major >= 8 else "centos7.0" if major == 7 else f"centos{major}.{minor}" if major else ""
    if "{" not in known.osinfo:
        return known.osinfo
    return known.osinfo.format(major, minor) if major or minor else ""
