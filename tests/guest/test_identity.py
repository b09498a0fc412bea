"""Release files as distributions write them: what they are called in every report, and that reports agree.

The systems are those of python-distro's test trees (Apache-2.0; its sdist has the whole files) and of libguestfs's
``inspect_fs_unix.ml``, with the lines that tell.
"""

from __future__ import annotations

import pytest

from tests.inspecting.identities import contradictions
from v2vlint.facts.registry import FactStore
from v2vlint.guest.identity import hostname, identify
from v2vlint.guest.osprobe import architecture, linux_info
from v2vlint.guest.release_files import numbers
from v2vlint.inspecting.guestfs_view import guestfs_view
from v2vlint.inspecting.release import linux_release
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.machine import OperatingSystem
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, fs_type="ext4")))


def os_release(**values: str) -> dict[str, str]:
    return {"/etc/os-release": "".join(f'{key}="{value}"\n' for key, value in values.items())}


def lsb(identity: str, release: str, codename: str, description: str) -> dict[str, str]:
    text = f'DISTRIB_ID={identity}\nDISTRIB_RELEASE={release}\nDISTRIB_CODENAME={codename}\nDISTRIB_DESCRIPTION="{description}"\n'
    return {"/etc/lsb-release": text}


def files(**named: str) -> dict[str, str]:
    return {f"/etc/{name.replace('_', '-') if name != 'debian_version' else name}": text + "\n" for name, text in named.items()}


MINT = lsb("LinuxMint", "17.3", "rosa", "Linux Mint 17.3 Rosa")
SYSTEMS: dict[str, tuple[dict[str, str], tuple[str, str, str, str]]] = {
    # name: files, (ID, version, family, name)
    "alt 10": (
        os_release(ID="altlinux", NAME="ALT Server", VERSION_ID="10.1", PRETTY_NAME="ALT Server 10.1 (Mendelevium)")
        | files(altlinux_release="ALT Server 10.1 (Mendelevium)", redhat_release="ALT Server 10.1 (Mendelevium)"),
        ("altlinux", "10.1", "altlinux", "ALT Server"),
    ),
    "alt 5": (files(altlinux_release="ALT Linux 5.0 Ark Desktop"), ("altlinux", "5.0", "altlinux", "ALT Linux")),
    "amazon 2014": (files(system_release="Amazon Linux AMI release 2014.03"), ("amzn", "2014.03", "rhel", "Amazon Linux AMI")),
    "amazon 2016": (
        os_release(ID="amzn", NAME="Amazon Linux AMI", VERSION_ID="2016.03", PRETTY_NAME="Amazon Linux AMI 2016.03"),
        ("amzn", "2016.03", "rhel", "Amazon Linux AMI"),
    ),
    "arch": (os_release(ID="arch", NAME="Arch Linux", PRETTY_NAME="Arch Linux", BUILD_ID="rolling"), ("arch", "", "arch", "Arch Linux")),
    "centos 5": (
        files(centos_release="CentOS release 5.11 (Final)", redhat_release="CentOS release 5.11 (Final)"),
        ("centos", "5.11", "rhel", "CentOS"),
    ),
    "centos 7": (
        os_release(ID="centos", NAME="CentOS Linux", VERSION_ID="7", PRETTY_NAME="CentOS Linux 7 (Core)")
        | files(centos_release="CentOS Linux release 7.1.1503 (Core)"),
        ("centos", "7.1.1503", "rhel", "CentOS Linux"),
    ),
    "cloudlinux 6": (
        files(redhat_release="CloudLinux Server release 6.8 (Oleg Makarov)"),
        ("cloudlinux", "6.8", "rhel", "CloudLinux Server"),
    ),
    "coreos": (os_release(ID="coreos", NAME="CoreOS", VERSION_ID="899.15.0", PRETTY_NAME="CoreOS 899.15.0"),
               ("coreos", "899.15.0", "coreos", "CoreOS")),
    "coreos, LSB": (lsb("CoreOS", "647.0.0", "Red Dog", "CoreOS 647.0.0"), ("coreos", "647.0.0", "coreos", "CoreOS")),
    "debian 10": (
        os_release(ID="debian", NAME="Debian GNU/Linux", VERSION_ID="10", PRETTY_NAME="Debian GNU/Linux 10 (buster)")
        | files(debian_version="10.11"),
        ("debian", "10.11", "debian", "Debian GNU/Linux"),
    ),
    "debian 10 without VERSION_ID": (
        os_release(ID="debian", NAME="Debian GNU/Linux", PRETTY_NAME="Debian GNU/Linux 10") | files(debian_version="10.11"),
        ("debian", "10.11", "debian", "Debian GNU/Linux"),
    ),
    "centos 7, named in capitals": (
        os_release(ID="CENTOS", NAME="CentOS Linux", VERSION_ID="7", PRETTY_NAME="CentOS Linux 7 (Core)")
        | files(redhat_release="CentOS Linux release 7.1.1503 (Core)"),
        ("centos", "7.1.1503", "rhel", "CentOS Linux"),
    ),
    "ubuntu without VERSION_ID": (
        os_release(ID="ubuntu", NAME="Ubuntu", PRETTY_NAME="Ubuntu 16.04 LTS") | lsb("Ubuntu", "16.04", "xenial", "Ubuntu 16.04 LTS"),
        ("ubuntu", "16.04", "debian", "Ubuntu"),
    ),
    "debian testing": (
        os_release(ID="debian", NAME="Debian GNU/Linux", PRETTY_NAME="Debian GNU/Linux bookworm/sid")
        | files(debian_version="bookworm/sid"),
        ("debian", "", "debian", "Debian GNU/Linux"),
    ),
    "enterprise linux 5": (
        files(enterprise_release="Enterprise Linux Enterprise Linux Server release 5.8 (Carthage)",
              redhat_release="Red Hat Enterprise Linux Server release 5.8 (Tikanga)"),
        ("ol", "5.8", "rhel", "Enterprise Linux Enterprise Linux Server"),
    ),
    "fedora 19": (
        os_release(ID="fedora", NAME="Fedora", VERSION_ID="19", PRETTY_NAME="Fedora 19") | files(redhat_release="Fedora release 19"),
        ("fedora", "19", "rhel", "Fedora"),
    ),
    "gentoo": (
        os_release(ID="gentoo", NAME="Gentoo", PRETTY_NAME="Gentoo/Linux"),
        ("gentoo", "", "gentoo", "Gentoo"),
    ),
    "mageia 5": (
        lsb("Mageia", "5", "thornicroft", "Mageia 5") | files(redhat_release="Mageia release 5 (Official) for x86_64"),
        ("mageia", "5", "rhel", "Mageia"),
    ),
    "mandriva": (lsb("MandrivaLinux", "2011.0", "turtle", "Mandriva Linux 2011.0"), ("mandriva", "2011.0", "rhel", "Mandriva Linux")),
    "mint 10": (lsb("LinuxMint", "10", "julia", "Linux Mint 10 Julia") | files(debian_version="squeeze/sid"),
                ("linuxmint", "10", "debian", "Linux Mint")),
    "mint 17": (
        MINT | os_release(ID="ubuntu", ID_LIKE="debian", NAME="Ubuntu", VERSION_ID="14.04", PRETTY_NAME="Ubuntu 14.04.3 LTS"),
        ("ubuntu", "14.04", "debian", "Ubuntu"),
    ),
    "opensuse 13": (files(SuSE_release="openSUSE 13.1 (x86_64)\nVERSION = 13.1"), ("opensuse", "13.1", "suse", "openSUSE")),
    "oracle 5": (
        files(oracle_release="Oracle Linux Server release 5.11",
              redhat_release="Red Hat Enterprise Linux Server release 5.11 (Tikanga)"),
        ("ol", "5.11", "rhel", "Oracle Linux Server"),
    ),
    "oracle 7": (
        os_release(ID="ol", NAME="Oracle Linux Server", VERSION_ID="7.5", PRETTY_NAME="Oracle Linux Server 7.5")
        | files(oracle_release="Oracle Linux Server release 7.5"),
        ("ol", "7.5", "rhel", "Oracle Linux Server"),
    ),
    "raspbian 7": (
        os_release(ID="raspbian", ID_LIKE="debian", NAME="Raspbian GNU/Linux", VERSION_ID="7", PRETTY_NAME="Raspbian GNU/Linux 7 (wheezy)")
        | files(debian_version="7.1"),
        ("raspbian", "7.1", "debian", "Raspbian GNU/Linux"),
    ),
    "red hat linux 9": (files(redhat_release="Red Hat Linux release 9 (Shrike)"), ("redhat", "9", "rhel", "Red Hat Linux")),
    "rhel 4": (
        files(redhat_release="Red Hat Enterprise Linux AS release 4 (Nahant Update 8)"),
        ("rhel", "4.8", "rhel", "Red Hat Enterprise Linux AS"),
    ),
    "rhel 6": (
        files(redhat_release="Red Hat Enterprise Linux Server release 6.5 (Santiago)") | {"/etc/lsb-release": "LSB_VERSION=core-4.0\n"},
        ("rhel", "6.5", "rhel", "Red Hat Enterprise Linux Server"),
    ),
    "rocky 8": (
        os_release(ID="rocky", NAME="Rocky Linux", VERSION_ID="8.4", PRETTY_NAME="Rocky Linux 8.4")
        | files(rocky_release="Rocky Linux release 8.4 (Green Obsidian)"),
        ("rocky", "8.4", "rhel", "Rocky Linux"),
    ),
    "scientific 6": (files(redhat_release="Scientific Linux release 6.4 (Carbon)"), ("scientific", "6.4", "rhel", "Scientific Linux")),
    "slackware": (files(slackware_version="Slackware 14.1"), ("slackware", "14.1", "slackware", "Slackware")),
    "sles 11": (
        files(SuSE_release="SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4"),
        ("sles", "11.4", "suse", "SUSE Linux Enterprise Server"),
    ),
    "sles 12": (
        os_release(ID="sles", NAME="SLES", VERSION_ID="12.1", PRETTY_NAME="SUSE Linux Enterprise Server 12 SP1"),
        ("sles", "12.1", "suse", "SLES"),
    ),
    "ubuntu 10": (
        lsb("Ubuntu", "10.04", "lucid", "Ubuntu 10.04.4 LTS") | files(debian_version="squeeze/sid"),
        ("ubuntu", "10.04", "debian", "Ubuntu"),
    ),
    "xenserver 6": (
        files(redhat_release="XenServer release 6.2.0-70446c (xenenterprise)"),
        ("xenenterprise", "6.2.0", "rhel", "XenServer"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("guest", "wanted"), SYSTEMS.values(), ids=SYSTEMS)
def test_a_system_has_one_identity(guest: dict[str, str], wanted: tuple[str, str, str, str]) -> None:
    fs = memory_guest({"/bin/x": "", "/etc/hosts": "", **guest})
    found = linux_info(fs)
    assert (found.distro, found.version, found.family, found.name) == wanted
    release = linux_release(fs, found)
    assert (release.version, release.major, release.minor) == (found.version, *numbers(found.version))
    view = guestfs_view(FactStore((fs, DISK, found)), "disk1p1", "")
    assert contradictions(OperatingSystem("disk1p1", release, found.arch, found.hostname, libguestfs=view)) == []


def test_what_libguestfs_does_not_look_at() -> None:
    found = identify(memory_guest(files(mageia_release="Mageia release 1 (Official) for x86_64", redhat_release="Mageia release 1")))
    assert (found.id, found.version, found.codename) == ("mageia", "1", "")


def test_codenames() -> None:
    assert identify(memory_guest(SYSTEMS["centos 5"][0])).codename == "Final"
    assert identify(memory_guest(SYSTEMS["ubuntu 10"][0])).codename == "lucid"
    assert identify(memory_guest(SYSTEMS["sles 11"][0])).codename == ""


@pytest.mark.parametrize(
    ("guest", "wanted"),
    [
        ({"/etc/hostname": "\n# by hand\n\n  web01  \n"}, "web01"),
        ({"/etc/sysconfig/network": "HOSTNAME=old\nNETWORKING=yes\nHOSTNAME='new'\n"}, "new"),
        ({"/etc/sysconfig/network": "#HOSTNAME=old\n"}, ""),
        ({"/etc/sysconfig/network": "HOSTNAME=web # the shop's\n"}, "web"),
        ({"/etc/sysconfig/network": "HOSTNAME= # none yet\n", "/etc/conf.d/hostname": 'hostname="web#1" # x\n'}, "web#1"),
        ({"/etc/hostname": "#\n", "/etc/HOSTNAME": "# SUSE\nlinux.site\n"}, "linux.site"),
    ],
)
def test_the_host_name(guest: dict[str, str], wanted: str) -> None:
    assert hostname(memory_guest(guest)) == wanted


def test_any_program_tells_the_architecture() -> None:
    program = b"\x7fELF\2\1" + bytes(12) + (62).to_bytes(2, "little")
    assert architecture(memory_guest({"/usr/bin/ls": program, "/bin": Link("usr/bin")})) == "x86_64"
