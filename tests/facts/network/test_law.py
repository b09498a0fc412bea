"""The law of the network stage: it fails exactly where a network rule has an error, and one of the errors is at the stage's place."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files
from tests.facts.network.test_stock import IFUPDOWN, NETPLAN, NETWORKD, NM, RULES, SLES, SYSTEMD, WICKED
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

DEBIAN = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
BY_PLACE: Files = {"/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1 net.ifnames=1\n}\n"}
SCRIPTS: Files = {**SYSTEMD, "/etc/sysconfig/network-scripts/ifup-eth": "", "/etc/rc.d/rc3.d/S10network": ""}
NMNO: Files = {**NM, "/etc/NetworkManager/conf.d/x.conf": "[main]\nno-auto-default=*\n"}
SC = "/etc/NetworkManager/system-connections/"
RH, SUSE, SD = "/etc/sysconfig/network-scripts/ifcfg-", "/etc/sysconfig/network/ifcfg-", "/etc/systemd/network/"
GUESTS: dict[str, Files] = {
    "nm-bond-mac": {
        **NMNO,
        SC + "b": "[connection]\nid=bond0\ntype=bond\ninterface-name=bond0\n[ipv4]\nmethod=auto\n",
        SC + "p": "[connection]\nid=p\ntype=ethernet\nmaster=bond0\nslave-type=bond\n[ethernet]\nmac-address=00:50:56:9a:bc:01\n",
    },
    "nm-bridge-uuid": {
        **NMNO,
        SC + "b": "[connection]\nid=br\nuuid=11-22\ntype=bridge\ninterface-name=br0\n",
        SC + "p": "[connection]\nid=p\ntype=ethernet\ninterface-name=ens192\ncontroller=11-22\nport-type=bridge\n",
    },
    "nm-vlan": {**NMNO, SC + "v": "[connection]\nid=v\ntype=vlan\ninterface-name=ens192.5\n[vlan]\nparent=ens192\nid=5\n"},
    "wicked-bond": {
        **WICKED,
        **BY_PLACE,
        SUSE + "bond0": "STARTMODE=auto\nBOOTPROTO=dhcp\nBONDING_MASTER=yes\nBONDING_SLAVE0=ens192\nBONDING_SLAVE1=ens224\n",
        SUSE + "ens192": "STARTMODE=hotplug\nBOOTPROTO=none\n",
    },
    "wicked-br": {**WICKED, **BY_PLACE, SUSE + "br0": "STARTMODE=auto\nBOOTPROTO=dhcp\nBRIDGE=yes\nBRIDGE_PORTS='ens192'\n"},
    "ifcfg-bond": {
        **SCRIPTS,
        RH + "bond0": "DEVICE=bond0\nTYPE=Bond\nBONDING_MASTER=yes\nBOOTPROTO=dhcp\nONBOOT=yes\n",
        RH + "ens192": "DEVICE=ens192\nMASTER=bond0\nSLAVE=yes\nONBOOT=no\n",
    },
    "ifcfg-br": {
        **SCRIPTS,
        RH + "br0": "DEVICE=br0\nTYPE=Bridge\nBOOTPROTO=dhcp\nONBOOT=yes\n",
        RH + "ens192": "DEVICE=ens192\nBRIDGE=br0\nONBOOT=yes\n",
    },
    "ifcfg-hwaddr": {**SCRIPTS, RH + "ens192": "DEVICE=ens192\nHWADDR=00:50:56:9a:bc:01\nBOOTPROTO=dhcp\nONBOOT=yes\n"},
    "networkd-bridge": {
        **NETWORKD,
        SD + "br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n",
        SD + "10-p.network": "[Match]\nName=ens192\n[Network]\nBridge=br0\n",
        SD + "20-br0.network": "[Match]\nName=br0\n[Network]\nDHCP=yes\n",
    },
    "networkd-vlan": {
        **NETWORKD,
        SD + "v.netdev": "[NetDev]\nName=v7\nKind=vlan\n[VLAN]\nId=7\n",
        SD + "10-p.network": "[Match]\nDriver=vmxnet3\n[Network]\nVLAN=v7\n",
        SD + "20-v.network": "[Match]\nName=v7\n[Network]\nAddress=192.0.2.4/24\n",
    },
    "netplan-bridge": {
        **NETPLAN,
        "/etc/netplan/a.yaml": "network: {ethernets: {ens192: {}}, bridges: {br0: {interfaces: [ens192], dhcp4: true}}}\n",
    },
    "link-driver": {
        **NETWORKD,
        SD + "10-l.link": "[Match]\nDriver=vmxnet3\n[Link]\nName=lan0\n",
        SD + "l.network": "[Match]\nName=lan0\n[Network]\nDHCP=yes\n",
    },
    "link-mac": {
        **NETWORKD,
        SD + "10-l.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Link]\nName=lan0\n",
        SD + "l.network": "[Match]\nName=lan0\n[Network]\nDHCP=yes\n",
    },
    "udev-place": {
        **IFUPDOWN,
        "/etc/udev/rules.d/10-l.rules": 'SUBSYSTEM=="net", KERNELS=="0000:0b:00.0", NAME="lan0"\n',
        "/etc/network/interfaces": "auto lan0\niface lan0 inet dhcp\n",
    },
    "udev-drv": {
        **IFUPDOWN,
        "/etc/udev/rules.d/10-l.rules": 'SUBSYSTEM=="net", DRIVERS=="vmxnet3", NAME="lan0"\n',
        "/etc/network/interfaces": "auto lan0\niface lan0 inet dhcp\n",
    },
    "netplan-setname": {
        **NETPLAN,
        "/etc/netplan/a.yaml": "network: {ethernets: {lan: {match: {macaddress: '00:50:56:9a:bc:01'}, set-name: lan, dhcp4: true}}}\n",
    },
    "two-cards": {
        **IFUPDOWN,
        "/etc/network/interfaces": "auto ens192\niface ens192 inet dhcp\nauto ens224\niface ens224 inet static\n address 10.0.0.5/24\n",
    },
    "glob": {**NETWORKD, SD + "l.network": "[Match]\nName=ens2* ens1*\n[Network]\nDHCP=yes\n"},
    "path": {**NETWORKD, SD + "l.network": "[Match]\nPath=pci-0000:0b:00.0 pci-0000:13:*\n[Network]\nDHCP=yes\n"},
    "neg": {**NETWORKD, SD + "l.network": "[Match]\nDriver=!virtio_net\nType=ether\n[Network]\nDHCP=yes\n"},
    "unmanaged": {
        **NETWORKD,
        SD + "05.network": "[Match]\nDriver=virtio_net\n[Link]\nUnmanaged=yes\n",
        SD + "l.network": "[Match]\nName=*\n[Network]\nDHCP=yes\n",
    },
    "em1": {**IFUPDOWN, "/etc/network/interfaces": "auto em1\niface em1 inet dhcp\n"},
    "enx": {**IFUPDOWN, "/etc/network/interfaces": "auto enx0050569abc01\niface enx0050569abc01 inet dhcp\n"},
    "netifrc": {**SYSTEMD, "/lib/netifrc/x": "", "/etc/runlevels/default/net.ens192": "", "/etc/conf.d/net": 'config_ens192="dhcp"\n'},
    "alias": {**IFUPDOWN, "/etc/network/interfaces": "auto ens192:0\niface ens192:0 inet static\n address 10.0.0.4/24\n"},
    "dhcpcd-none": {**SYSTEMD},
}


@pytest.mark.parametrize("target", ["kvm", "azure", "gce", "vmware"])
@pytest.mark.parametrize("name", GUESTS)
def test_the_stage_fails_where_a_rule_has_an_error(name: str, target: str) -> None:
    system = SLES if "wicked" in name else DEBIAN
    store = FactStore((memory_guest(GUESTS[name]), BlockTable(), system, Definition("", ""), load(target), Mover.RAW))
    outlook = store.get(NetworkLanding).outlook
    findings = [finding for loaded in RULES for finding in run_rule(loaded.rule, store).findings]
    errors = [finding.where for finding in findings if finding.severity is Severity.ERROR]
    assert (outlook.survival is Survival.LOST) is bool(errors)
    assert not errors or outlook.where in errors
