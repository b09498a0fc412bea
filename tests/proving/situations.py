"""Situations of the network that are judged and booted: what the guest has, the machine it lands on."""

from __future__ import annotations

from pathlib import Path

from tests.facts.guests import Files, fact
from tests.proving.netboot import NetCard, NetGuest, domain
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.model.definition import Definition
from v2vlint.model.rule import Link
from v2vlint.target.libvirt import from_text

_WANTS = "/etc/systemd/system/multi-user.target.wants"
_PROGRAMS: dict[str, Files] = {
    "networkd": {"/usr/lib/systemd/systemd-networkd": "", f"{_WANTS}/systemd-networkd.service": Link("/x")},
    "NetworkManager": {"/usr/sbin/NetworkManager": "", f"{_WANTS}/NetworkManager.service": Link("/x")},
    "ifupdown": {"/sbin/ifup": "", f"{_WANTS}/networking.service": Link("/x")},
}
_LO = "auto lo\niface lo inet loopback\n"
_IFACES, _ND, _NM = "/etc/network/interfaces", "/etc/systemd/network", "/etc/NetworkManager/system-connections"
_CONF: Files = {"/etc/NetworkManager/NetworkManager.conf": "[main]\nplugins=keyfile\nno-auto-default=*\n"}
_DHCP = "[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n"
_PORT = (NetCard(at="port1"),)
_MAC = NetCard().mac
_BRIDGE: Files = {
    f"{_ND}/br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n",
    f"{_ND}/10-port.network": "[Match]\nName=en*\n[Network]\nBridge=br0\n",
    f"{_ND}/20-br0.network": f"[Match]\nName=br0\n{_DHCP}",
}


def _profile(name: str, uuid: int, connection: str = "", rest: str = "") -> Files:
    head = f"[connection]\nid={name}\nuuid=1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a{uuid:03d}\ntype=ethernet\n{connection}"
    ipv4 = "" if "[ipv4]" in rest else "[ipv4]\nmethod=auto\n"
    return {f"{_NM}/{name}.nmconnection": f"{head}{rest}{ipv4}[ipv6]\nmethod=disabled\n"}


def _ifaces(name: str, method: str = "dhcp", word: str = "auto") -> Files:
    return {_IFACES: f"{_LO}{word} {name}\niface {name} inet {method}\n"}


def _network(match: str, **more: str) -> Files:
    return {f"{_ND}/50-lan.network": f"[Match]\n{match}\n{_DHCP}", **{f"{_ND}/{name}": text for name, text in more.items()}}


_OWN = ("networkd",)
SITUATIONS: tuple[NetGuest, ...] = (
    NetGuest("its name", _ifaces("ens3"), ("ifupdown",)),
    NetGuest("VMware's name", _ifaces("ens192"), ("ifupdown",)),
    NetGuest("names of four hypervisors", {_IFACES: _LO + "".join(
        f"allow-hotplug {name}\niface {name} inet dhcp\n" for name in ("eth0", "ens33", "ens192", "ens3"))}, ("ifupdown",)),
    NetGuest("any card, by a pattern", {_IFACES: f"{_LO}auto /e*=lan\niface lan inet dhcp\n"}, ("ifupdown",), cards=(NetCard(at="18"),)),
    NetGuest("counted by the kernel", _ifaces("eth0"), ("ifupdown",), args="net.ifnames=0"),
    NetGuest("counted, but named by place", _ifaces("eth0"), ("ifupdown",)),
    NetGuest("the firmware's index", _ifaces("eno5"), ("ifupdown",), cards=(NetCard(index=5),)),
    NetGuest("a udev rule by driver", {**_ifaces("lan0"), "/etc/udev/rules.d/70-lan.rules":
        'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="virtio-pci", NAME="lan0"\n'}, ("ifupdown",)),
    NetGuest("a fixed address", {
        _IFACES: f"{_LO}auto ens3\niface ens3 inet static\n address 10.0.2.77/24\n gateway 10.0.2.2\n"}, ("ifupdown",)),
    NetGuest("behind a root port", _ifaces("enp1s0"), ("ifupdown",), "pc-q35-7.2", _PORT),
    NetGuest("an old naming scheme", _ifaces("enp1s0"), ("ifupdown",), "pc-q35-7.2", _PORT, "net.naming-scheme=v238"),
    NetGuest("drivers in a list", _network("Driver=ena virtio_net vif"), _OWN, "pc-q35-7.2", _PORT),
    NetGuest("a driver that is not there", _network("Driver=vmxnet3"), _OWN),
    NetGuest("anything but its name", _network("Name=!ens3"), _OWN),
    NetGuest("a bridge on any card", _BRIDGE, _OWN),
    NetGuest("unmanaged before",
        {**_network("Name=en*"), f"{_ND}/10-off.network": "[Match]\nDriver=virtio*\n[Link]\nUnmanaged=yes\n"}, _OWN),
    NetGuest("a name by address",
        {**_network("Name=lan0"), f"{_ND}/10-lan.link": f"[Match]\nMACAddress={_MAC}\n[Link]\nName=lan0\n"}, _OWN),
    NetGuest("a name by a driver that is gone",
        {**_network("Name=lan0"), f"{_ND}/10-lan.link": "[Match]\nDriver=vmxnet3\n[Link]\nName=lan0\n"}, _OWN),
    NetGuest("a link file without a name",
        {**_network("Name=eth0"), f"{_ND}/10-wake.link": "[Match]\nOriginalName=*\n[Link]\nWakeOnLan=off\n"}, _OWN),
    NetGuest("NetworkManager by itself", {"/etc/NetworkManager/NetworkManager.conf": "[main]\nplugins=keyfile\n"}, ("NetworkManager",)),
    NetGuest("a profile for VMware's name", {**_CONF, **_profile("lan", 1, "interface-name=ens192\n")}, ("NetworkManager",)),
    NetGuest("a profile's marks", {**_CONF, **_profile("lan", 1, rest="[match]\ninterface-name=&!docker*;|en*;\n")}, ("NetworkManager",)),
    NetGuest("the higher priority", {**_CONF, **_profile("dhcp", 1), **_profile("fixed", 2, "autoconnect-priority=10\n",
        "[ipv4]\nmethod=manual\naddress1=10.0.2.88/24,10.0.2.2\n")}, ("NetworkManager",)),
    NetGuest("an e1000e", _network("Driver=e1000*"), _OWN, "pc-q35-7.2", (NetCard("e1000e", "port1"),)),
)  # fmt: skip


def landing(guest: NetGuest) -> NetworkLanding:
    """What we say of the guest on that machine."""
    managers = {path: content for name in guest.managers for path, content in _PROGRAMS[name].items()}
    system: Files = {
        "/sbin/init": "",
        "/usr/lib/systemd/systemd": "",
        "/usr/lib/systemd/libsystemd-shared-252.so": "",
        "/usr/lib/udev/rules.d/80-net-setup-link.rules": Path("/lib/udev/rules.d/80-net-setup-link.rules").read_text(),
        "/usr/lib/systemd/network/99-default.link": Path("/lib/systemd/network/99-default.link").read_text(),
        "/boot/grub/grub.cfg": f"menuentry 'x' {{\n linux /vmlinuz root=UUID=1 ro {guest.args}\n}}\n",
    }
    return fact(NetworkLanding, {**system, **managers, **guest.files}, from_text("there", domain(guest)), Definition("", ""))


def predicted_names(guest: NetGuest) -> dict[str, str]:
    """The name of each card by its address; empty where more than one is possible."""
    scene = landing(guest).scenes[0]
    return {card.mac: one.names[0] if len(one.names) == 1 else "" for card, one in zip(guest.cards, scene.world.cards, strict=False)}


def predicted(guest: NetGuest) -> Survival:
    """Whether we say that its card comes up."""
    return landing(guest).outlook.survival
