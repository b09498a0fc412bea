"""More stock configurations: releases of SUSE, Amazon, Ubuntu, Red Hat and Fedora, and what Debian's own packages install.

Written down from the files that make them, none seen on a real system; only Debian's are read from the installed packages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.test_stock import CLOUD_INIT, ETH0, IFUPDOWN, NETPLAN, NETWORKD, NM, SYSTEMD, WICKED
from v2vlint.engine.packs import load_all
from v2vlint.engine.run import run_rule
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

RULES = [loaded for loaded in load_all() if loaded.group in ("network", "environment")]
CMDLINE = "menuentry 'x' {{\n linux /vmlinuz root=UUID=1 ro {0}\n}}\n"
SUSE_ETH0: Files = {"/etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"}
SCRIPTS: Files = {"/etc/sysconfig/network-scripts/ifup-eth": "", "/etc/rc.d/rc3.d/S10network": ""}
IFCFG = "/etc/sysconfig/network-scripts/ifcfg-"
PLUGIN: Files = {"/usr/lib64/NetworkManager/1.40.0/libnm-settings-plugin-ifcfg-rh.so": ""}
RHUI = "/etc/yum.repos.d/rh-cloud.repo"


def system(distro: str, family: str, name: str, version: str) -> OsInfo:
    return OsInfo("linux", distro, family, name, version, "x86_64")


def kernel(words: str) -> Files:
    return {"/boot/grub/grub.cfg": CMDLINE.replace("{0}", words).replace("{{", "{").replace("}}", "}")}


def installed(name: str) -> Files:
    """What anaconda writes for one card with DHCP (pyanaconda/modules/network/ifcfg.py; keyfiles since Fedora 33)."""
    return {IFCFG + name: f"TYPE=Ethernet\nBOOTPROTO=dhcp\nDEFROUTE=yes\nNAME={name}\nUUID=1d9b\nDEVICE={name}\nONBOOT=yes\n"}


def profile(name: str) -> Files:
    path = f"/etc/NetworkManager/system-connections/{name}.nmconnection"
    uuid = "1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a001"
    return {
        path: f"[connection]\nid={name}\nuuid={uuid}\ntype=ethernet\nautoconnect-priority=-999\ninterface-name={name}\n"
        "[ipv4]\nmethod=auto\n"
    }


def netplan(text: str, file: str = "00-installer-config.yaml") -> Files:
    return {f"/etc/netplan/{file}": text}


AMZN2 = system("amzn", "rhel", "Amazon Linux 2", "2")
STOCK: list[tuple[str, str, OsInfo, Files]] = [
    # YaST (yast-network); predictable names only with net.ifnames=1.
    ("SLES 12", "vmware", system("sles", "suse", "SUSE Linux Enterprise Server 12 SP5", "12.5"), {**WICKED, **SUSE_ETH0}),
    ("SLES 12 on Azure", "azure", system("sles", "suse", "SUSE Linux Enterprise Server 12 SP5", "12.5"), {**WICKED, **SUSE_ETH0}),
    # Agama installs NetworkManager and writes no profile for a card with DHCP; names by place.
    ("SLES 16", "kvm", system("sles", "suse", "SUSE Linux Enterprise Server 16.0", "16.0"), {**NM}),
    # docs.aws.amazon.com, "Amazon Linux 2": net.ifnames=0 biosdevname=0, and ifcfg-eth0 of ec2-net-utils.
    ("Amazon Linux 2", "ec2-nitro", AMZN2, {**SYSTEMD, **SCRIPTS, **CLOUD_INIT, **kernel("console=ttyS0 net.ifnames=0 biosdevname=0"),
        IFCFG + "eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\nTYPE=Ethernet\nUSERCTL=yes\nPEERDNS=yes\nDHCPV6C=yes\n"}),
    # debian-installer's netcfg.
    ("Ubuntu 16.04 server", "kvm", system("ubuntu", "debian", "Ubuntu 16.04", "16.04"), {**IFUPDOWN,
        "/etc/network/interfaces": "source /etc/network/interfaces.d/*\n" + ETH0.replace("eth0", "ens3")}),
    # cloud-init's eni renderer, per DataSourceOpenStack.
    ("Ubuntu 16.04 cloud", "openstack", system("ubuntu", "debian", "Ubuntu 16.04", "16.04"), {**IFUPDOWN, **CLOUD_INIT,
        "/etc/network/interfaces": "source /etc/network/interfaces.d/*.cfg\n",
        "/etc/network/interfaces.d/50-cloud-init.cfg": "auto lo\niface lo inet loopback\nauto ens3\niface ens3 inet dhcp\n"}),
    ("Ubuntu 18.04 server", "vmware", system("ubuntu", "debian", "Ubuntu 18.04", "18.04"), {**NETPLAN, **netplan(
        "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    ens160:\n      dhcp4: yes\n", "01-netcfg.yaml")}),
    # subiquity: subiquity/models/network.py
    ("Ubuntu 20.04 server", "vmware", system("ubuntu", "debian", "Ubuntu 20.04", "20.04"), {**NETPLAN, **netplan(
        "network:\n  ethernets:\n    ens192:\n      dhcp4: true\n  version: 2\n")}),
    ("Ubuntu 20.04 cloud image", "gce", system("ubuntu", "debian", "Ubuntu 20.04", "20.04"), {**NETPLAN, **CLOUD_INIT}),
    ("Ubuntu 24.04 server", "virtualbox", system("ubuntu", "debian", "Ubuntu 24.04", "24.04"), {**NETPLAN, **netplan(
        "network:\n  version: 2\n  ethernets:\n    enp0s3:\n      dhcp4: true\n")}),
    # libvirt carries the MAC address, by which 70-persistent-net.rules and HWADDR= know the card.
    ("RHEL 6", "kvm", system("rhel", "rhel", "Red Hat Enterprise Linux 6.10", "6.10"), {"/sbin/init": "", **SCRIPTS, **kernel(""),
        "/lib/udev/rules.d/75-persistent-net-generator.rules": "x\n",
        "/etc/udev/rules.d/70-persistent-net.rules": (
            'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="52:54:00:12:34:56", ATTR{type}=="1", KERNEL=="eth*", '
            'NAME="eth0"\n'),
        IFCFG + "eth0": "DEVICE=eth0\nHWADDR=52:54:00:12:34:56\nTYPE=Ethernet\nONBOOT=yes\nNM_CONTROLLED=yes\nBOOTPROTO=dhcp\n"}),
    # The onboard indexes of VMware's firmware are names until 7.2 (access.redhat.com/solutions/2592561).
    ("RHEL 7.2", "vmware", system("rhel", "rhel", "Red Hat Enterprise Linux 7.2", "7.2"), {**NM, **PLUGIN, **installed("eno16777984")}),
    ("RHEL 7", "vmware", system("rhel", "rhel", "Red Hat Enterprise Linux 7.9", "7.9"), {**NM, **PLUGIN, **installed("ens192")}),
    ("RHEL 8", "kvm", system("rhel", "rhel", "Red Hat Enterprise Linux 8.10", "8.10"), {**NM, **PLUGIN, **installed("enp1s0")}),
    # The KVM guest image: net.ifnames=0, ifcfg-eth0.
    ("RHEL 8 guest image", "openstack", system("rhel", "rhel", "Red Hat Enterprise Linux 8.10", "8.10"),
     {**NM, **PLUGIN, **CLOUD_INIT, **kernel("console=ttyS0 net.ifnames=0"), **installed("eth0")}),
    ("RHEL 9 on Azure", "azure", system("rhel", "rhel", "Red Hat Enterprise Linux 9.4", "9.4"), {**NM, **CLOUD_INIT, RHUI:
        "[rhui-rhel-9]\nname=x\nbaseurl=https://rhui4-1.microsoft.com/pulp/repos/content/dist/rhel9/rhui/9/x86_64/baseos/os\nenabled=1\n"}),
    ("RHEL 10", "vmware", system("rhel", "rhel", "Red Hat Enterprise Linux 10.0", "10.0"), {**NM, **profile("ens192")}),
    ("Alma 9", "proxmox", system("almalinux", "rhel", "AlmaLinux 9.4", "9.4"), {**NM, **profile("ens18")}),
    # Fedora Cloud has NetworkManager and no profile (fedora-kickstarts, fedora-cloud-base.ks).
    ("Fedora cloud", "kvm", system("fedora", "rhel", "Fedora Linux 41", "41"), {**NM, **CLOUD_INIT}),
    ("Fedora server", "virtualbox", system("fedora", "rhel", "Fedora Linux 41", "41"), {**NM, **profile("enp0s3")}),
    ("Flatcar on Azure", "azure", system("flatcar", "flatcar", "Flatcar Container Linux", "4081.2.0"), {**NETWORKD,
        "/usr/lib/systemd/network/zz-default.network":
            "[Match]\nName=*\nType=!loopback bridge tunnel vxlan wireguard\nDriver=!veth dummy\n[Network]\nDHCP=yes\n"}),
]  # fmt: skip


def loud(files: Files, target: str, os: OsInfo) -> list[tuple[object, str]]:
    """The findings above information of the rules on networks and environments."""
    store = FactStore((memory_guest(files), BlockTable(), os, Definition("", ""), load(target), Mover.RAW))
    findings = [finding for loaded in RULES for finding in run_rule(loaded.rule, store).findings]
    return [(finding.where, finding.message) for finding in findings if finding.severity > Severity.INFO]


@pytest.mark.parametrize(("target", "os", "files"), [one[1:] for one in STOCK], ids=[one[0] for one in STOCK])
def test_at_home_the_network_comes_up_and_no_rule_warns(target: str, os: OsInfo, files: Files) -> None:
    landing = fact(NetworkLanding, files, load(target), Definition("", ""), os)
    assert landing.outlook.survival is not Survival.LOST, landing.outlook
    assert loud(files, target, os) == []


DEBIAN_FILES = ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg", "/etc/NetworkManager/NetworkManager.conf",
                "/etc/dhcp/dhclient.conf", "/lib/systemd/network/*.link", "/lib/systemd/network/*.network",
                "/lib/udev/rules.d/*net*.rules")  # fmt: skip


@pytest.mark.skipif(not Path("/etc/cloud/cloud.cfg").exists(), reason="Debian's cloud-init is not installed")
@pytest.mark.parametrize("target", ["kvm", "azure", "gce", "ec2-nitro", "vmware", "openstack"])
def test_what_debians_packages_install_is_silent_everywhere(target: str) -> None:
    paths = [path for pattern in DEBIAN_FILES for path in Path("/").glob(pattern.lstrip("/")) if path.is_file() and path.stat().st_size]
    files: Files = {**NM, **CLOUD_INIT, **{str(path): path.read_bytes() for path in paths}}
    assert loud(files, target, system("debian", "debian", "Debian GNU/Linux", "12")) == []
