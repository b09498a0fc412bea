"""The network as one: who is in force, what pins names, and what survives where."""

from __future__ import annotations

import dataclasses

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.network.interface import Manager
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.network import Network
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition, NicDevice
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Link
from v2vlint.target import load

KEPT, UNSURE, LOST = Survival.KEPT, Survival.UNSURE, Survival.LOST
UDEV: Files = {
    "/usr/lib/udev/rules.d/80-net-setup-link.rules": 'NAME=="", NAME="$env{ID_NET_NAME}"\n',
    "/usr/lib/systemd/network/99-default.link": "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel onboard slot path\n",
    "/boot/grub/grub.cfg": "menuentry 'Debian' {\n\tlinux /vmlinuz root=UUID=1c7e ro quiet\n}\n",
}
OLD: Files = {"/lib/udev/rules.d/60-x.rules": "# no naming by place\n"}
PIN = {"/etc/systemd/network/10-lan.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Link]\nName={0}\n"}
NM: Files = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": ""}
IFUPDOWN: Files = {"/sbin/init": "", "/sbin/ifup": "", "/etc/rcS.d/S10networking": ""}


def land(files: Files, target: str = "kvm", *given: object) -> NetworkLanding:
    return fact(NetworkLanding, files, load(target), Definition("", ""), *given)


def pinned(name: str) -> Files:
    return {path: text.replace("{0}", name) for path, text in PIN.items()}


@pytest.mark.parametrize(
    ("files", "predictable", "reason"),
    [
        (UDEV, True, "udev names cards by place"),
        ({**UDEV, "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz net.ifnames=0\n}\n"}, False, "net.ifnames=0"),
        ({**UDEV, "/boot/grub/grub.cfg": "", "/etc/default/grub": 'GRUB_CMDLINE_LINUX="net.ifnames=0"\n'}, False, "net.ifnames=0"),
        ({**UDEV, "/etc/udev/rules.d/80-net-setup-link.rules": Link("/dev/null")}, False, "rules are masked"),
        ({**UDEV, "/etc/systemd/network/99-default.link": Link("/dev/null")}, False, "default .link file is masked"),
        ({**UDEV, "/etc/systemd/network/99-default.link": "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep\n"}, False, "names no card"),
        ({**UDEV, "/boot/grub/grub.cfg": ""}, None, "command line is not known"),
        (OLD, False, "udev has no rules"),
        ({}, None, "no udev rules"),
    ],
)
def test_what_decides_how_cards_are_named(files: Files, predictable: bool | None, reason: str) -> None:
    policy = fact(NamePolicy, files)
    assert policy.predictable is predictable
    assert reason in policy.reason


@pytest.mark.parametrize(
    ("name", "kvm", "vmware", "azure", "xen"),
    [
        ("ens192", LOST, UNSURE, LOST, LOST),
        ("ens3", UNSURE, LOST, LOST, LOST),
        ("ens7", UNSURE, LOST, LOST, UNSURE),
        ("enp1s0", UNSURE, LOST, LOST, LOST),
        ("eno1", UNSURE, LOST, LOST, LOST),
        ("em1", LOST, LOST, LOST, LOST),
        ("eth0", LOST, LOST, KEPT, LOST),
        ("enX0", LOST, LOST, LOST, UNSURE),
        ("enx0050569abc01", UNSURE, LOST, LOST, UNSURE),
        ("lan0", KEPT, KEPT, KEPT, KEPT),
        ("e*", KEPT, KEPT, KEPT, KEPT),
        ("en*", KEPT, KEPT, LOST, KEPT),
        ("ens*", UNSURE, UNSURE, LOST, UNSURE),
        ("eth*", LOST, LOST, KEPT, LOST),
        ("!lo", KEPT, KEPT, KEPT, KEPT),
    ],
)
def test_names_where_udev_names_cards_by_place(name: str, kvm: Survival, vmware: Survival, azure: Survival, xen: Survival) -> None:
    found = [land(UDEV, target).name(name) for target in ("kvm", "vmware", "azure", "xen")]
    assert found == [kvm, vmware, azure, xen]


@pytest.mark.parametrize(("name", "survival"), [("eth0", KEPT), ("eth*", KEPT), ("ens192", KEPT), ("em1", LOST), ("en*", LOST)])
def test_names_where_the_kernel_counts(name: str, survival: Survival) -> None:
    assert land(OLD).name(name) is survival


def test_a_name_pinned_by_mac_address_goes_with_it() -> None:
    assert [land({**UDEV, **pinned("ens192")}, target).name("ens192") for target in ("kvm", "azure")] == [KEPT, LOST]
    assert [land({**UDEV, **pinned("lan0")}, target).name("lan0") for target in ("kvm", "azure")] == [KEPT, LOST]


def test_the_old_generator_gives_a_new_card_the_next_number() -> None:
    rule = 'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:01", NAME="eth0"\n'
    files = {**OLD, "/etc/udev/rules.d/70-persistent-net.rules": rule}
    generator = {"/lib/udev/rules.d/75-persistent-net-generator.rules": "x\n"}
    assert land(files, "azure").name("eth0") is KEPT
    assert land({**files, **generator}, "azure").name("eth0") is LOST
    assert land({**files, **generator}).name("eth0") is KEPT


def test_red_hat_9_does_not_listen_to_udev_rules() -> None:
    files = {**UDEV, "/etc/udev/rules.d/70-persistent-net.rules": 'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:01", NAME="ens192"\n'}
    rocky = OsInfo("linux", "rocky", "rhel", "Rocky Linux", "9.3", "x86_64")
    assert land(files).name("ens192") is KEPT
    assert land(files, "kvm", rocky).name("ens192") is LOST


STACK = (
    "auto vmbr0\niface vmbr0 inet dhcp\n bridge_ports bond0\niface bond0 inet manual\n bond-slaves {0} {1}\n"
    "auto vmbr0.7\niface vmbr0.7 inet static\n address 10.7.0.1/24\n"
)


@pytest.mark.parametrize(
    ("one", "two", "survival"),
    [("ens192", "ens224", LOST), ("ens192", "enp1s0", UNSURE), ("ens192", "lan0", KEPT), ("bond0", "bond0", KEPT)],
)
def test_a_stack_survives_with_the_best_of_its_cards(one: str, two: str, survival: Survival) -> None:
    landing = land({**UDEV, "/etc/network/interfaces": STACK.replace("{0}", one).replace("{1}", two)})
    assert [landing.config(interface) for interface in landing.network.interfaces] == [survival] * 3
    assert [interface.label for interface in landing.network.addressed] == ["vmbr0", "vmbr0.7"]


@pytest.mark.parametrize(("renderer", "fallback"), [("NetworkManager", True), ("networkd", False)])
def test_netplan_may_hand_every_card_to_networkmanager(renderer: str, fallback: bool) -> None:
    files: Files = {
        **NM,
        "/usr/sbin/netplan": "",
        "/etc/netplan/01-all.yaml": f"network: {{version: 2, renderer: {renderer}}}\n",
        "/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf": "[keyfile]\nunmanaged-devices=*,except:type:wifi\n",
    }
    assert bool(land(files).fallback) is fallback


def test_only_managers_that_run_are_in_force() -> None:
    files: Files = {
        **IFUPDOWN,
        "/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n",
        "/etc/NetworkManager/system-connections/a": "[connection]\ntype=ethernet\n",
        "/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\n",
    }
    network = fact(Network, files)
    assert network.certain
    assert [interface.manager for interface in network.interfaces] == [Manager.IFUPDOWN]
    assert [interface.manager for interface in network.unread] == [Manager.NETWORK_MANAGER, Manager.NETWORK_SCRIPTS]
    unknown = fact(Network, {path: text for path, text in files.items() if path.startswith("/etc/") and "rcS.d" not in path})
    assert not unknown.certain
    assert len(unknown.interfaces) == 3


@pytest.mark.parametrize(
    ("plugin", "controlled", "managers"),
    [(True, "", [Manager.NETWORK_MANAGER]), (False, "", []), (True, "NM_CONTROLLED=no\n", [])],
)
def test_networkmanager_reads_ifcfg_files_with_its_plugin(plugin: bool, controlled: str, managers: list[Manager]) -> None:
    files = {**NM, "/etc/sysconfig/network-scripts/ifcfg-eth0": f"DEVICE=eth0\nBOOTPROTO=dhcp\n{controlled}"}
    files |= {"/usr/lib64/NetworkManager/1.40/libnm-settings-plugin-ifcfg-rh.so": ""} if plugin else {}
    assert [interface.manager for interface in fact(Network, files).interfaces] == managers


ENS192 = "auto ens192\niface ens192 inet dhcp\n"
NO_AUTO = {"/etc/NetworkManager/conf.d/x.conf": "[main]\nno-auto-default=*\n"}
PROFILE = {"/etc/NetworkManager/system-connections/a": "[connection]\ntype=ethernet\ninterface-name=ens192\n"}


@pytest.mark.parametrize(
    ("files", "survival", "reason"),
    [
        ({**IFUPDOWN, "/etc/network/interfaces": ENS192}, LOST, "ifupdown waits for ens192"),
        ({"/etc/network/interfaces": ENS192}, UNSURE, "may not exist"),
        ({**IFUPDOWN, "/etc/network/interfaces": f"{ENS192}auto lan0\niface lan0 inet dhcp\n"}, KEPT, "lan0 comes up by ifupdown"),
        ({**IFUPDOWN, "/etc/network/interfaces": ENS192.replace("ens192", "enp1s0")}, UNSURE, "may not exist"),
        ({**IFUPDOWN, "/etc/network/interfaces": "auto lo\niface lo inet loopback\n"}, UNSURE, "no interface is configured"),
        ({**NM, **PROFILE}, KEPT, "NetworkManager connects any other card"),
        ({**NM, **PROFILE, **NO_AUTO}, LOST, "NetworkManager waits for ens192"),
        (NM, KEPT, "NetworkManager connects any other card"),
        (
            {
                **IFUPDOWN,
                "/etc/network/interfaces": ENS192,
                "/usr/bin/cloud-init": "",
                "/etc/rc3.d/S20cloud-init": "",
            },
            UNSURE,
            "cloud-init may write",
        ),
        ({**IFUPDOWN, "/etc/network/interfaces": f"{ENS192}auto br0\niface br0 inet dhcp\n bridge_ports none\n"}, UNSURE, "may not exist"),
        ({}, UNSURE, "no interface is configured"),
    ],
)
def test_the_outlook(files: Files, survival: Survival, reason: str) -> None:
    landing = land({**UDEV, **files})
    assert landing.outlook.survival is survival
    assert reason in landing.outlook.reason
    assert landing.cut_off is (survival is LOST)


@pytest.mark.parametrize(
    ("match", "kvm", "azure"),
    [
        ("MACAddress=00:50:56:9a:bc:01", KEPT, LOST),
        ("Driver=virtio_net", KEPT, LOST),
        ("Driver=vmxnet3", LOST, LOST),
        ("Path=pci-0000:0b:00.0", UNSURE, LOST),
        ("Type=ether", KEPT, KEPT),
    ],
)
def test_matches_other_than_names(match: str, kvm: Survival, azure: Survival) -> None:
    files = {"/etc/systemd/network/x.network": f"[Match]\n{match}\n[Network]\nDHCP=yes\n"}
    landings = [land(files, target) for target in ("kvm", "azure")]
    assert [landing.config(landing.network.interfaces[0]) for landing in landings] == [kvm, azure]


def test_a_card_renamed_by_netplan_or_red_hats_scripts_is_pinned() -> None:
    netplan = "network: {ethernets: {a: {match: {macaddress: '00:50:56:9a:bc:01'}, set-name: ens192, dhcp4: true}}}\n"
    ifcfg = "DEVICE=ens224\nHWADDR=00:50:56:9a:bc:02\n"
    files = {**UDEV, "/etc/netplan/a.yaml": netplan, "/etc/sysconfig/network-scripts/ifcfg-ens224": ifcfg}
    landing = land(files)
    assert [landing.name(name) for name in ("ens192", "ens224", "ens256")] == [KEPT, KEPT, LOST]


BOND = "auto bond0\niface bond0 inet static\n address 192.0.2.5/24\n bond-slaves none\n"
OVS = "auto vmbr0\niface vmbr0 inet manual\n ovs_type OVSBridge\n ovs_ports lan\n"
SCRIPTS: Files = {"/sbin/init": "", "/etc/sysconfig/network-scripts/ifup-eth": "", "/etc/rc.d/rc3.d/S10network": ""}
WICKED: Files = {
    "/sbin/init": "", "/usr/sbin/wicked": "", "/etc/systemd/system/multi-user.target.wants/wicked.service": "",
}  # fmt: skip
RED_HAT, SUSE = "/etc/sysconfig/network-scripts/ifcfg-", "/etc/sysconfig/network/ifcfg-"


@pytest.mark.parametrize(
    "files",
    [
        {**IFUPDOWN, "/etc/network/interfaces": f"{BOND}auto @\niface @ inet manual\n bond-master bond0\n"},
        {
            **IFUPDOWN,
            "/etc/network/interfaces": f"auto @\niface @ inet manual\n ovs_type OVSPort\n ovs_bridge vmbr0\n{OVS}auto lan\n"
            "iface lan inet static\n address 192.0.2.5/24\n ovs_type OVSIntPort\n ovs_bridge vmbr0\n",
        },
        {
            **SCRIPTS,
            f"{RED_HAT}br-ex": "DEVICE=br-ex\nDEVICETYPE=ovs\nTYPE=OVSBridge\nIPADDR=192.0.2.5\n",
            f"{RED_HAT}@": "DEVICE=@\nTYPE=OVSPort\nDEVICETYPE=ovs\nOVS_BRIDGE=br-ex\n",
        },
        {
            **SCRIPTS,
            f"{RED_HAT}br-ex": "DEVICE=br-ex\nTYPE=OVSBridge\n",
            f"{RED_HAT}lan": "DEVICE=lan\nTYPE=OVSIntPort\nOVS_BRIDGE=br-ex\nBOOTPROTO=dhcp\n",
            f"{RED_HAT}@": "DEVICE=@\nTYPE=OVSPort\nOVS_BRIDGE=br-ex\n",
        },
        {**SCRIPTS, f"{RED_HAT}lag": "DEVICE=lag\nTYPE=OVSBond\nBOND_IFACES='@'\nBOOTPROTO=dhcp\n"},
        {
            **SCRIPTS,
            f"{RED_HAT}br-ex": "DEVICE=br-ex\nTYPE=OVSBridge\nOVSBOOTPROTO=dhcp\n",
            f"{RED_HAT}@": "DEVICE=@\nTYPE=OVSPort\nOVS_BRIDGE=br-ex\n",
        },
        {**WICKED, f"{SUSE}lan": "STARTMODE=auto\nIPADDR=192.0.2.5/24\nTEAM_RUNNER=loadbalance\nTEAM_PORT_DEVICE_0=@\n"},
        {**WICKED, f"{SUSE}lan": "STARTMODE=auto\nIPADDR=192.0.2.5/24\nOVS_BRIDGE=yes\nOVS_BRIDGE_PORT_DEVICE_1=@\n"},
    ],
)
def test_stacked_interfaces_go_with_their_only_card(files: Files) -> None:
    """Whichever of the two names the other, and through an internal port of Open vSwitch as well."""

    def called(name: str) -> Files:
        return {path.replace("@", name): text.replace("@", name) if isinstance(text, str) else text for path, text in files.items()}

    gone, stays = (land({**UDEV, **called(name)}).outlook for name in ("ens192", "cable"))
    assert (gone.survival, stays.survival) == (LOST, KEPT), (gone, stays)


PINNED_TO_MAC: Files = {
    "/sbin/init": "",
    "/usr/lib/systemd/systemd-networkd": "",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",
    "/etc/systemd/network/a.network": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Network]\nDHCP=yes\n",
}


@pytest.mark.parametrize(
    ("macs", "target", "survival"),
    [
        ((), "kvm", KEPT),
        (("00:50:56:9a:bc:01",), "kvm", KEPT),
        (("52:54:00:00:00:01", "00:50:56:9a:bc:01"), "kvm", KEPT),
        (("52:54:00:00:00:01",), "kvm", LOST),
        (("52:54:00:00:00:01", ""), "kvm", KEPT),  # one address is not stated
        (("52:54:00:00:00:01", "52:54:00:00:00:01"), "kvm", KEPT),  # ports of a bond
        (("00:50:56:9a:bc:01",), "azure", LOST),
    ],
)
def test_cards_have_the_addresses_of_the_definition(macs: tuple[str, ...], target: str, survival: Survival) -> None:
    definition = Definition("libvirt", "vm.xml", nics=tuple(map(NicDevice, macs)))
    assert fact(NetworkLanding, PINNED_TO_MAC, load(target), definition).outlook.survival is survival


def test_a_card_may_have_an_address_that_the_user_states() -> None:
    definition = Definition("libvirt", "vm.xml", nics=(NicDevice("52:54:00:00:00:01"),))
    wishes = CardNames(macs=(("lan", "00:50:56:9a:bc:01"),))
    assert fact(NetworkLanding, PINNED_TO_MAC, load("kvm"), definition, wishes).outlook.survival is KEPT


def test_a_machine_as_the_target_has_its_own_addresses() -> None:
    definition = Definition("libvirt", "vm.xml", nics=(NicDevice("00:50:56:9a:bc:01"),))
    for macs, survival in ((("52:54:00:00:00:01",), LOST), (("52:54:00:00:00:01", "00:50:56:9a:bc:01"), KEPT)):
        machine = dataclasses.replace(load("kvm"), macs=macs)
        assert fact(NetworkLanding, PINNED_TO_MAC, machine, definition).outlook.survival is survival


@pytest.mark.parametrize(
    ("machine", "definition", "survival"),
    [
        ((), (), UNSURE),
        (("52:54:00:00:00:01",), (), LOST),
        (("00:50:56:9a:bc:01",), ("52:54:00:00:00:01",), UNSURE),
        ((), ("52:54:00:00:00:01",), LOST),
        ((), ("52:54:00:00:00:01", ""), UNSURE),
        ((), ("00:50:56:9a:bc:01",), UNSURE),
    ],
)
def test_a_name_made_of_an_address_goes_with_it(machine: tuple[str, ...], definition: tuple[str, ...], survival: Survival) -> None:
    files = {**PINNED_TO_MAC, **UDEV, "/etc/systemd/network/a.network": "[Match]\nName=enx0050569abc01\n[Network]\nDHCP=yes\n"}
    target = dataclasses.replace(load("kvm"), macs=machine)
    found = fact(NetworkLanding, files, target, Definition("libvirt", "vm.xml", nics=tuple(map(NicDevice, definition))))
    assert (found.outlook.survival, found.cut_off, found.name("enx0050569abc01")) == (survival, survival is LOST, survival)


NETWORKD: Files = {
    "/sbin/init": "",
    "/usr/lib/systemd/systemd-networkd": "",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",
    "/etc/systemd/network/a.network": "[Match]\nName=ens192\n[Network]\nAddress=192.0.2.5/24\nGateway=192.0.2.1\n",
}
NM_FIXED = {
    "/etc/NetworkManager/system-connections/a": f"{next(iter(PROFILE.values()))}[ipv4]\nmethod=manual\naddress1=192.0.2.5/24,192.0.2.1\n"
}
FIXED = "DEVICE=ens192\nONBOOT=yes\nSTARTMODE=auto\nIPADDR=192.0.2.5/24\nPREFIX=24\nGATEWAY=192.0.2.1\n"


@pytest.mark.parametrize(
    ("fixed", "path", "dhcp", "without"),
    [
        (NETWORKD, "/etc/systemd/network/b.network", "[Match]\nName=lan0\n[Network]\nDHCP=yes\n", "[DHCPv4]\nUseGateway=no\n"),
        (NETWORKD, "/etc/systemd/network/b.network", "[Match]\nName=lan0\n[Network]\nDHCP=yes\n", "[DHCP]\nUseRoutes=no\n"),
        (
            {**NM, **NO_AUTO, **NM_FIXED},
            "/etc/NetworkManager/system-connections/b",
            "[connection]\ntype=ethernet\ninterface-name=lan0\n[ipv6]\nmethod=ignore\n[ipv4]\nmethod=auto\n",
            "never-default=true\n",
        ),
        (
            {**NM, **NO_AUTO, **NM_FIXED},
            "/etc/NetworkManager/system-connections/b",
            "[connection]\ntype=ethernet\ninterface-name=lan0\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=auto\n",
            "never-default=true\n",
        ),
        (
            {**SCRIPTS, f"{RED_HAT}ens192": FIXED},
            f"{RED_HAT}lan0",
            "DEVICE=lan0\nONBOOT=yes\nBOOTPROTO=dhcp\n",
            "DEFROUTE=no\n",
        ),
        (
            {**WICKED, f"{SUSE}ens192": FIXED},
            f"{SUSE}lan0",
            "STARTMODE=auto\nBOOTPROTO=dhcp\n",
            "DHCLIENT_SET_DEFAULT_ROUTE=no\n",
        ),
        (
            NETWORKD,
            "/etc/netplan/a.yaml",
            "network:\n  ethernets:\n    lan0:\n      dhcp4: true\n",
            "      dhcp4-overrides: {use-routes: false}\n",
        ),
    ],
)
def test_a_card_by_dhcp_without_a_default_route_is_no_way_out(fixed: Files, path: str, dhcp: str, without: str) -> None:
    outlooks = [land({**UDEV, **fixed, "/usr/sbin/netplan": "", path: text}).outlook for text in (dhcp, dhcp + without)]
    assert [one.survival for one in outlooks] == [KEPT, UNSURE]
    assert outlooks[1].reason == "the default route is on ens192, which does not come up there"
