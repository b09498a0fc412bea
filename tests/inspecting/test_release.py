"""Which system it is: the release files of many distributions, in our words and in libguestfs's."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE
from v2vlint.facts.registry import FactStore
from v2vlint.guest.mounts import Mount
from v2vlint.guest.osprobe import linux_info
from v2vlint.guest.release_files import numbers
from v2vlint.inspecting.distros import DISTROS, distro_of, osinfo_of
from v2vlint.inspecting.guestfs_view import guestfs_osinfo, guestfs_view
from v2vlint.inspecting.release import linux_release
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.machine import GuestfsView, Release
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import memory_guest

OSINFO = Path("/usr/share/osinfo/os")
DISK = BlockTable(
    (BlockDevice("disk1", "disk", 1 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, fs_type="ext4", uuid="u-1"))
)


@functools.cache
def osinfo_ids() -> frozenset[str]:
    """Every id in libosinfo's database."""
    texts = (path.read_text("utf-8") for path in OSINFO.rglob("*.xml"))
    return frozenset(found for text in texts for found in re.findall(r"<short-id>([^<]+)", text))


def os_release(text: str) -> dict[str, str]:
    """A guest with these os-release lines, separated by semicolons."""
    return {"/etc/os-release": text.replace(";", "\n") + "\n"}


def release(files: Mapping[str, str], deployment: str = "") -> Release:
    fs = memory_guest(files)
    return linux_release(fs, linux_info(fs), deployment)


def view(files: Mapping[str, str], blocks: BlockTable = DISK) -> GuestfsView:
    fs = memory_guest({"/bin/x": "", "/etc/hosts": "", **files})
    found = guestfs_view(FactStore((fs, blocks, OsInfo("linux", "", "", ""))), "disk1p1", "")
    assert found is not None
    return found


ALMA = os_release('NAME="AlmaLinux";VERSION="9.3 (Shamrock Pampas Cat)";ID="almalinux";ID_LIKE="rhel centos fedora";VERSION_ID="9.3"'
                  ';PRETTY_NAME="AlmaLinux 9.3 (Shamrock Pampas Cat)"')  # fmt: skip
AMAZON = os_release('NAME="Amazon Linux";VERSION="2023";ID="amzn";ID_LIKE="fedora";VERSION_ID="2023";PRETTY_NAME="Amazon Linux 2023"')
PHOTON = os_release('NAME="VMware Photon OS";VERSION="5.0";ID=photon;VERSION_ID=5.0;PRETTY_NAME="VMware Photon OS/Linux"')
FLATCAR = os_release('NAME="Flatcar Container Linux by Kinvolk";ID=flatcar;ID_LIKE=coreos;VERSION=3760.2.0;VERSION_ID=3760.2.0'
                     ';BUILD_ID=2024-02-06;PRETTY_NAME="Flatcar Container Linux by Kinvolk 3760.2.0 (Oklo)"') | {
    "/usr/share/flatcar/release": "x"
}  # fmt: skip
AZURE = os_release(
    'NAME="Microsoft Azure Linux";VERSION="3.0.20240727";ID=azurelinux;VERSION_ID="3.0";PRETTY_NAME="Microsoft Azure Linux 3.0"'
)
NIXOS = os_release('NAME=NixOS;ID=nixos;VERSION="23.11 (Tapir)";VERSION_CODENAME=tapir;VERSION_ID="23.11";BUILD_ID="23.11.1"'
                   ';PRETTY_NAME="NixOS 23.11 (Tapir)"') | {"/nix/store/x": ""}  # fmt: skip
COREOS = os_release('NAME="Fedora Linux";ID=fedora;VERSION_ID=39;VARIANT_ID=coreos;PRETTY_NAME="Fedora CoreOS 39.20240112.3.0"') | {
    "/usr/bin/rpm-ostree": ""
}
STREAM = os_release('NAME="CentOS Stream";ID="centos";VERSION_ID="9";PRETTY_NAME="CentOS Stream 9"')
TUMBLEWEED = os_release('NAME="openSUSE Tumbleweed";ID="opensuse-tumbleweed";VERSION_ID="20240101";PRETTY_NAME="openSUSE Tumbleweed"')
DERIVED = os_release('NAME=Thing;ID=thing;ID_LIKE="ubuntu debian";VERSION_ID=7;PRETTY_NAME="Thing 7"')


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (ALMA, ("almalinux", 9, 3, "rpm", "dnf", "almalinux9", "")),
        (AMAZON, ("amzn", 2023, 0, "rpm", "dnf", "", "")),
        (PHOTON, ("photon", 5, 0, "rpm", "tdnf", "", "")),
        (FLATCAR, ("flatcar", 3760, 2, "", "", "", "a/b partitions")),
        (AZURE, ("azurelinux", 3, 0, "rpm", "tdnf", "", "")),
        (NIXOS, ("nixos", 23, 11, "nix", "nix", "nixos-23.11", "nix")),
        (STREAM, ("centos", 9, 0, "rpm", "dnf", "centos-stream9", "")),
        (TUMBLEWEED, ("opensuse", 20240101, 0, "rpm", "zypper", "opensusetumbleweed", "")),
        (DERIVED, ("thing", 7, 0, "deb", "apt", "", "")),
        ({"/etc/redhat-release": "CentOS release 5.11 (Final)\n"}, ("centos", 5, 11, "rpm", "yum", "centos5.11", "")),
        ({"/etc/debian_version": "7.8\n"}, ("debian", 7, 8, "deb", "apt", "debian7", "")),
        ({"/etc/alpine-release": "3.19.1\n"}, ("alpinelinux", 3, 19, "apk", "apk", "alpinelinux3.19", "")),
        ({"/etc/slackware-version": "Slackware 14.2\n"}, ("slackware", 14, 2, "txz", "pkgtool", "slackware14.2", "")),
        ({}, ("linux", 0, 0, "", "", "", "")),
    ],
)
def test_in_our_words(files: dict[str, str], wanted: tuple[object, ...]) -> None:
    found = release(files)
    shown = (found.distro, found.major, found.minor, found.package_format, found.package_manager, found.osinfo, found.image)
    assert shown == wanted


def test_an_image_that_is_deployed() -> None:
    found = release(COREOS, "/ostree/deploy/fedora-coreos/deploy/0.0")
    assert (found.variant, found.package_manager, found.image, found.osinfo) == ("coreos", "rpm-ostree", "ostree", "fedora-coreos-stable")
    bootc = release(COREOS | {"/usr/lib/bootc/install/00.toml": ""}, "/ostree/deploy/default/deploy/0.0")
    assert bootc.image == "bootc"
    assert release({**ALMA, "/usr/lib/bootc/install/00.toml": ""}).image == ""


def test_codename_and_build() -> None:
    assert (release(NIXOS).codename, release(NIXOS).build_id, release(ALMA).codename) == ("tapir", "23.11.1", "Shamrock Pampas Cat")
    assert release({"/etc/lsb-release": 'DISTRIB_ID=Ubuntu\nDISTRIB_DESCRIPTION="Ubuntu 10.04 LTS"\n'}).product_name == "Ubuntu 10.04 LTS"


@pytest.mark.parametrize(("text", "wanted"), [("12.5", (12, 5)), ("v3", (3, 0)), ("rolling", (0, 0)), ("9" * 50, (999999999, 0))])
def test_numbers(text: str, wanted: tuple[int, int]) -> None:
    assert numbers(text) == wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({**ALMA, "/etc/redhat-release": "AlmaLinux release 9.3\n"},
         ("redhat-based", "AlmaLinux release 9.3", 9, 3, "rpm", "dnf", "redhat-based9.3")),
        (AMAZON, ("", "Amazon Linux 2023", 2023, 0, "", "", "")),
        (PHOTON, ("", "VMware Photon OS/Linux", 5, 0, "", "", "")),
        (NIXOS, ("", "NixOS 23.11 (Tapir)", 23, 11, "", "", "")),
        (TUMBLEWEED, ("opensuse", "openSUSE Tumbleweed", 20240101, 0, "rpm", "zypper", "opensuse20240101.0")),
        ({**os_release('ID=debian;PRETTY_NAME="Debian 12";VERSION_ID="12"'), "/etc/debian_version": "12.5\n"},
         ("debian", "12.5", 12, 5, "deb", "apt", "debian12")),
        ({**os_release('ID=debian;PRETTY_NAME="Debian trixie/sid"'), "/etc/debian_version": "trixie/sid\n"},
         ("debian", "trixie/sid", 0, 0, "deb", "apt", "")),
        ({"/etc/redhat-release": "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)\n"},
         ("rhel", "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)", 4, 8, "rpm", "up2date", "rhel4.8")),
        ({"/etc/redhat-release": "Scientific Linux release 6.10 (Carbon)\n"},
         ("scientificlinux", "Scientific Linux release 6.10 (Carbon)", 6, 10, "rpm", "yum", "scientificlinux6.10")),
        ({"/etc/redhat-release": "Fedora release 39 (Thirty Nine)\n", "/usr/bin/dnf": ""},
         ("fedora", "Fedora release 39 (Thirty Nine)", 39, 0, "rpm", "dnf", "fedora39")),
        ({"/etc/SuSE-release": "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n"},
         ("sles", "SUSE Linux Enterprise Server 11 (x86_64)", 11, 4, "rpm", "zypper", "sles11sp4")),
        ({"/etc/SuSE-release": "openSUSE 13.1 (x86_64)\nVERSION = 13.1\n"},
         ("opensuse", "openSUSE 13.1 (x86_64)", 13, 1, "rpm", "zypper", "opensuse13.1")),
        ({"/etc/lsb-release": 'DISTRIB_ID=LinuxMint\nDISTRIB_RELEASE=21\nDISTRIB_DESCRIPTION="Linux Mint 21"\n'},
         ("linuxmint", "Linux Mint 21", 21, 0, "deb", "apt", "linuxmint21.0")),
        ({**os_release('ID=arch;PRETTY_NAME="Arch Linux"')}, ("archlinux", "Arch Linux", 0, 0, "pacman", "pacman", "archlinux")),
        ({"/etc/oracle-release": "Oracle Linux Server release 8.9\n", "/etc/redhat-release": "Red Hat Enterprise Linux release 8.9\n",
          **os_release('ID="ol";VERSION_ID="8.9";PRETTY_NAME="Oracle Linux Server 8.9"')},
         ("oraclelinux", "Oracle Linux Server release 8.9", 8, 9, "rpm", "dnf", "oraclelinux8.9")),
        ({"/etc/br-version": "2023.02\n"}, ("buildroot", "2023.02", 2023, 2, "", "", "buildroot2023.2")),
    ],
)  # fmt: skip
def test_in_the_words_of_libguestfs(files: dict[str, str], wanted: tuple[object, ...]) -> None:
    found = view(files)
    shown = (found.distro, found.product_name, found.major, found.minor, found.package_format, found.package_management, found.osinfo)
    assert shown == wanted


def test_what_libguestfs_takes_from_fstab() -> None:
    fstab = """UUID=u-1 / ext4 defaults 0 1
/dev/sda9 /data//deep/ ext4 defaults 0 2
/dev/sdz1 /gone ext4 defaults 0 2
UUID=none /lost ext4 defaults 0 2
tmpfs /tmp tmpfs defaults 0 0
server:/x /net nfs defaults 0 0
/dev/cdrom /media/cd iso9660 ro 0 0
/dev/fd0 /floppy auto noauto 0 0
/dev/root /again ext4 defaults 0 0
UUID=u-1 none swap sw 0 0
UUID=u-1 / xfs defaults 0 0
"""
    found = view({"/etc/fstab": fstab})
    wanted = (("/dev/sda1", "/"), ("/dev/sda9", "/data/deep"), ("/dev/sdz1", "/gone"), ("/dev/sda1", "/again"))
    assert found.mountpoints == wanted
    assert found.filesystems == ("/dev/sda1", "/dev/sda9", "/dev/sdz1", "/dev/sda1", "/dev/sda1")
    assert view({}).mountpoints == (("/dev/sda1", "/"),)


def test_what_libguestfs_would_pass_over_has_what_was_found_mounted() -> None:
    fs = memory_guest({**COREOS, "/usr/bin/x": ""})
    found = guestfs_view(FactStore((fs, DISK, OsInfo("linux", "", "", ""))), "disk1p1", "", (Mount("/", "disk1p1"), Mount("/x", "gone")))
    assert found is not None
    assert (found.distro, found.osinfo, found.mountpoints) == ("fedora", "fedora39", (("/dev/sda1", "/"),))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_release_files(text: str) -> None:
    files = dict.fromkeys(("/etc/os-release", "/etc/lsb-release", "/etc/redhat-release", "/etc/SuSE-release", "/etc/fstab"), text)
    assert view(files).type == release(files).type == "linux"


@pytest.mark.skipif(not OSINFO.is_dir(), reason="libosinfo's database is not installed")
@pytest.mark.parametrize(
    ("identity", "major", "minor"),
    [
        ("almalinux", 9, 0), ("alpine", 3, 17), ("alt", 10, 0), ("arch", 0, 0), ("centos", 7, 9), ("centos", 6, 10), ("centos", 8, 0),
        ("clear-linux-os", 0, 0), ("debian", 11, 0), ("elementary", 5, 0), ("endless", 4, 0), ("fedora", 36, 0), ("gentoo", 0, 0),
        ("guix", 0, 0), ("mageia", 8, 0), ("manjaro", 0, 0), ("miraclelinux", 9, 0), ("nixos", 21, 5), ("ol", 8, 4),
        ("opensuse-leap", 15, 4),
        ("opensuse-tumbleweed", 0, 0), ("pop", 20, 4), ("pureos", 10, 0), ("rhel", 9, 1), ("rocky", 9, 0), ("scientific", 7, 6),
        ("slackware", 14, 2), ("sle-micro", 5, 2), ("sled", 12, 5), ("sles", 12, 5), ("sles", 15, 4), ("ubuntu", 22, 4), ("void", 0, 0),
        ("freedos", 1, 2),
    ],
)  # fmt: skip
def test_ids_are_in_libosinfo(identity: str, major: int, minor: int) -> None:
    assert osinfo_of(identity, distro_of(identity), major, minor) in osinfo_ids()


def test_every_distribution_that_libguestfs_tells_apart_is_known() -> None:
    told = (
        "alpinelinux altlinux archlinux buildroot centos cirros coreos debian fedora freedos frugalware gentoo kalilinux kylin linuxmint "
        "mageia mandriva meego msdos neokylin openmandriva opensuse oraclelinux pardus pldlinux redhat-based rhel scientificlinux"
        " slackware sles suse-based ttylinux ubuntu voidlinux rocky circle openeuler opencloudos tencentos"
    )
    assert set(told.split()) - {known.word for known in DISTROS.values()} == set()


def test_guesses_of_libguestfs_that_are_wrong_stay_as_they_are() -> None:
    assert (guestfs_osinfo("oraclelinux", 8, 9), guestfs_osinfo("centos", 7, 9), guestfs_osinfo("", 1, 1)) == (
        "oraclelinux8.9",
        "centos7.0",
        "",
    )
