"""Configurations as distributions and images ship them: at home the network comes up, and no rule warns.

Written down from the files that make them, none copied from a running system: the source is named with each.
"""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.engine.packs import load_all
from v2vlint.engine.run import run_rule
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

RULES = [loaded for loaded in load_all() if loaded.group == "network"]
WANTS = "/etc/systemd/system/multi-user.target.wants"
SYSTEMD: Files = {
    "/sbin/init": "",
    "/usr/lib/systemd/systemd": "",
    "/usr/lib/udev/rules.d/80-net-setup-link.rules": 'NAME=="", ENV{ID_NET_NAME}!="", NAME="$env{ID_NET_NAME}"\n',
    "/usr/lib/systemd/network/99-default.link": (
        "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel database onboard slot path\n"
        "AlternativeNamesPolicy=database onboard slot path\nMACAddressPolicy=persistent\n"
    ),
    "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1 ro\n}\n",
}
NETWORKD: Files = {**SYSTEMD, "/usr/lib/systemd/systemd-networkd": "", f"{WANTS}/systemd-networkd.service": Link("/x")}
NM: Files = {**SYSTEMD, "/usr/sbin/NetworkManager": "", f"{WANTS}/NetworkManager.service": Link("/x")}
NETPLAN: Files = {**NETWORKD, "/usr/sbin/netplan": ""}
IFUPDOWN: Files = {**SYSTEMD, "/sbin/ifup": "", f"{WANTS}/networking.service": Link("/x")}
CLOUD_INIT: Files = {"/usr/bin/cloud-init": "", f"{WANTS}/cloud-init.service": Link("/x")}
WICKED: Files = {**SYSTEMD, "/usr/sbin/wicked": "", f"{WANTS}/wicked.service": Link("/x")}
SLES = OsInfo("linux", "sles", "suse", "SUSE Linux Enterprise Server 15 SP5", "15.5", "x86_64")
LEAP = OsInfo("linux", "opensuse-leap", "suse", "openSUSE Leap 15.6", "15.6", "x86_64")
TUMBLEWEED = OsInfo("linux", "opensuse-tumbleweed", "suse", "openSUSE Tumbleweed", "20260101", "x86_64")
DEBIAN8 = OsInfo("linux", "debian", "debian", "Debian GNU/Linux 8 (jessie)", "8", "x86_64")
RHEL9 = OsInfo("linux", "rhel", "rhel", "Red Hat Enterprise Linux 9.4", "9.4", "x86_64")
UBUNTU = OsInfo("linux", "ubuntu", "debian", "Ubuntu 22.04", "22.04", "x86_64")
GENTOO = OsInfo("linux", "gentoo", "gentoo", "Gentoo", "2.15", "x86_64")
ETH0 = "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n"

STOCK: list[tuple[str, str, OsInfo | None, Files]] = [
    # YaST writes ifcfg-eth0; SUSE names cards by place with net.ifnames=1 only (openSUSE/systemd, link-config.c).
    ("sles 15", "kvm", SLES, {**WICKED, "/etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"}),
    ("sles 15 on vmware", "vmware", SLES, {**WICKED, "/etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"}),
    ("leap 15", "proxmox", LEAP, {**WICKED, "/etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n"}),
    ("tumbleweed", "kvm", TUMBLEWEED, {**NM}),
    # Debian's udev 215: "Make net.ifnames opt-in instead of opt-out".
    ("debian 8", "vmware", DEBIAN8, {**IFUPDOWN, "/etc/network/interfaces": ETH0}),
    # amazon-ec2-net-utils, systemd/network/80-ec2.network.
    (
        "amazon linux 2023",
        "ec2-nitro",
        None,
        {**NETWORKD, "/usr/lib/systemd/network/80-ec2.network": "[Match]\nDriver=ena ixgbevf vif\n[Network]\nDHCP=yes\n"},
    ),
    (
        "amazon linux 2023 on xen",
        "ec2-xen",
        None,
        {**NETWORKD, "/usr/lib/systemd/network/80-ec2.network": "[Match]\nDriver=ena ixgbevf vif\n[Network]\nDHCP=yes\n"},
    ),
    # flatcar/init, systemd/network/zz-default.network.
    (
        "flatcar",
        "openstack",
        None,
        {
            **NETWORKD,
            "/usr/lib/systemd/network/zz-default.network": (
                "[Match]\nName=*\nType=!loopback bridge tunnel vxlan wireguard\nDriver=!veth dummy\n[Network]\nDHCP=yes\n"
            ),
        },
    ),
    # debian-cloud-images, config_space/files/etc/netplan/90-default.yaml.
    (
        "debian 12 cloud",
        "azure",
        None,
        {
            **NETPLAN,
            "/etc/netplan/90-default.yaml": (
                "network:\n  version: 2\n  ethernets:\n    all-en:\n      match: {name: en*}\n      dhcp4: true\n"
                "    all-eth:\n      match: {name: eth*}\n      dhcp4: true\n"
            ),
        },
    ),
    # What cloud-init renders on Azure, and Ubuntu's hot-plug file there.
    (
        "ubuntu on azure",
        "azure",
        UBUNTU,
        {
            **NETPLAN,
            "/etc/netplan/90-hotplug-azure.yaml": (
                "network:\n  version: 2\n  ethernets:\n    ephemeral:\n      dhcp4: true\n      match:\n        driver: hv_netvsc\n"
                "        name: '!eth0'\n      optional: true\n    hotpluggedeth0:\n      dhcp4: true\n      match:\n"
                "        driver: hv_netvsc\n        name: eth0\n"
            ),
        },
    ),
    # subiquity on libvirt.
    ("ubuntu server", "kvm", UBUNTU, {**NETPLAN, "/etc/netplan/00.yaml": "network: {ethernets: {enp1s0: {dhcp4: true}}}\n"}),
    ("ubuntu desktop", "virtualbox", UBUNTU,
     {**NM, "/usr/sbin/netplan": "", "/etc/netplan/01.yaml": "network: {renderer: NetworkManager}\n"}),
    # GCE's images of Red Hat: net.ifnames=0 and a profile for eth0.
    (
        "rhel 9 on gce",
        "gce",
        RHEL9,
        {
            **NM,
            "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1 ro net.ifnames=0 biosdevname=0\n}\n",
            "/etc/NetworkManager/system-connections/eth0.nmconnection": "[connection]\ntype=ethernet\ninterface-name=eth0\n",
        },
    ),
    ("rhel 9 on proxmox", "proxmox", RHEL9, {**NM, "/etc/NetworkManager/system-connections/ens18.nmconnection":
        "[connection]\ntype=ethernet\ninterface-name=ens18\n"}),
    # eudev: 80-net-name-slot.rules, no .link files.
    (
        "gentoo with eudev",
        "kvm",
        GENTOO,
        {"/sbin/init": "", "/sbin/ifup": "", "/etc/rcS.d/S10networking": "", "/lib/udev/rules.d/80-net-name-slot.rules": 'NAME="x"\n',
         "/boot/grub/grub.cfg": SYSTEMD["/boot/grub/grub.cfg"], "/etc/network/interfaces": ETH0.replace("eth0", "enp1s0")},
    ),
    ("packer", "kvm", None, {**IFUPDOWN, "/etc/network/interfaces": "".join(
        f"allow-hotplug {name}\niface {name} inet dhcp\n" for name in ("eth0", "ens33", "ens192", "enp1s0"))}),
    ("proxmox ve", "proxmox", None, {**IFUPDOWN, "/etc/network/interfaces":
        "auto lo\niface lo inet loopback\niface ens18 inet manual\nauto vmbr0\niface vmbr0 inet dhcp\n bridge-ports ens18\n"}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "os", "files"), [one[1:] for one in STOCK], ids=[one[0] for one in STOCK])
def test_at_home_the_network_comes_up_and_no_rule_warns(target: str, os: OsInfo | None, files: Files) -> None:
    given = (os,) if os else ()
    landing = fact(NetworkLanding, files, load(target), Definition("", ""), *given)
    assert landing.outlook.survival is not Survival.LOST, landing.outlook
    assert landing.usual is not Survival.LOST
    system = os or OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
    store = FactStore((memory_guest(files), BlockTable(), system, Definition("", ""), load(target), Mover.RAW))
    outcomes = [(loaded.id, run_rule(loaded.rule, store)) for loaded in RULES]
    loud = [(rule, one.message, one.effect) for rule, outcome in outcomes for one in outcome.findings if one.severity > Severity.INFO]
    assert loud == []
