"""Rule interface-name-bound."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    CardMacs,
    CardNames,
    CloudInit,
    Example,
    Finding,
    Fix,
    IfNameKind,
    Link,
    Loss,
    Manager,
    MatchKey,
    Method,
    Network,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    Target,
    Token,
    WriteFile,
    ifname_kind,
    is_glob,
    sample_domain,
)

_IFUPDOWN: dict[str, str | Link] = {
    "/sbin/init": "",
    "/sbin/ifup": "",
    "/etc/systemd/system/multi-user.target.wants/networking.service": Link("/lib/systemd/system/networking.service"),
}
_NM_WITH_IFCFG: dict[str, str | Link] = {
    "/sbin/init": "",
    "/usr/sbin/NetworkManager": "",
    "/usr/lib64/NetworkManager/1.40.0/libnm-settings-plugin-ifcfg-rh.so": "",
    "/etc/systemd/system/multi-user.target.wants/NetworkManager.service": "",
}
_CLOUD_INIT: dict[str, str | Link] = {
    "/sbin/init": "",
    "/usr/bin/cloud-init": "",
    "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": "",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
"""What names a card, a file and a rule without quoting."""
_LO = "auto lo\niface lo inet loopback\n\n"


class InterfaceNameBound(Rule):
    """A network configuration is bound to an interface name that depends on the card's place.

    ## What it does
    Finds configurations bound to names such as `ens192`, `enp3s0` or `eno1` in NetworkManager, netplan, systemd-networkd, ifupdown, wicked
    and ifcfg files, including bond members and bridge ports, on targets whose cards sit elsewhere. It also finds `eth0` where udev names
    cards by place, and wildcards (`ens*`) that match no name there. Names that a `.link` file, a udev rule or `set-name` ties to a MAC
    address kept by the target are fine, and so are configurations for any card.

    ## Why it matters
    The name states where the card is on the virtual board: the slot (`ens192` is VMware's), the bus, the firmware's index. On another board
    the card gets another name, its configuration waits for a card that never comes, and the guest is up but unreachable. DHCP does not
    help.

    ## Fix safety
    Safe for DHCP on the only card. Unsafe for a fixed address, which then goes to whichever card comes first, and for
    ifupdown, whose patterns need version 0.8.20 and do not wait for hot-plugged cards. If the configuration contains the card's MAC address
    and the target keeps it, a `.link` file preserves the name instead; with `--keep-names`, also by the address of the only card in the
    machine's definition, or one given with `--mac`. A file written by cloud-init is changed together with cloud-init's permission to write
    it, which is unsafe.

    ## References
    - systemd.net-naming-scheme(7), systemd.link(5), interfaces(5), netplan-yaml(5)
    - Forklift writes `.link` files for such guests (`network_config_util.sh`); virt-v2v(1) does not touch the guest's network.
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    predicts = (
        r"(Timed out waiting for device|start job is running for) .*net-devices",
        r"ifup: unknown interface e(n|th)",
        r"Cannot find device \"e(n|th)",
        r"Failed to start Raise network interfaces",
        r"Wait for Network to be Configured",
        r"wicked.*no-device",
        r"No suitable device found for this connection",
        r"ignoring unknown interface",
    )
    examples = (
        Example(
            {**_IFUPDOWN, "/etc/network/interfaces": f"{_LO}auto ens192\niface ens192 inet dhcp\n"},
            flags=("/etc/network/interfaces:5",),
            severity=Severity.ERROR,
            fixed={"/etc/network/interfaces": f"{_LO}auto /e*=ens192\niface ens192 inet dhcp\n"},
            title="the only way into the guest, and certainly gone",
        ),
        Example(
            {"/etc/netplan/01-lan.yaml": "network:\n  version: 2\n  ethernets:\n    ens160:\n      dhcp4: true\n"},
            flags=("/etc/netplan/01-lan.yaml:4",),
            severity=Severity.WARNING,
            fixed={
                "/etc/netplan/01-lan.yaml": (
                    'network:\n  version: 2\n  ethernets:\n    ens160:\n      match: {name: "e*"}\n      dhcp4: true\n'
                )
            },
        ),
        Example(
            {"/etc/systemd/network/10-lan.network": "[Match]\r\nName=ens192\r\n\r\n[Network]\r\nDHCP=yes\r\n"},
            flags=("/etc/systemd/network/10-lan.network:2",),
            fixed={"/etc/systemd/network/10-lan.network": "[Match]\r\nName=en* eth*\r\n\r\n[Network]\r\nDHCP=yes\r\n"},
        ),
        Example(
            {"/etc/NetworkManager/system-connections/lan.nmconnection": "[connection]\nid=lan\ntype=ethernet\ninterface-name=ens192\n"},
            flags=("/etc/NetworkManager/system-connections/lan.nmconnection:4",),
            fixed={"/etc/NetworkManager/system-connections/lan.nmconnection": "[connection]\nid=lan\ntype=ethernet\n"},
        ),
        Example(
            {
                "/etc/NetworkManager/system-connections/lan.nmconnection": (
                    "[connection]\nid=lan\ntype=ethernet\ninterface-name=ens192\n[ethernet]\nmac-address=00:50:56:9A:BC:01\n"
                )
            },
            flags=("/etc/NetworkManager/system-connections/lan.nmconnection:4",),
            fixed={
                "/etc/systemd/network/10-v2vlint-ens192.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n\n[Link]\nName=ens192\n",
            },
            title="the MAC address travels, so it can keep the name",
        ),
        Example(
            {
                "/etc/NetworkManager/system-connections/lan.nmconnection": (
                    "[connection]\nid=lan\ntype=ethernet\ninterface-name=ens192\n[ethernet]\nmac-address=00:50:56:9A:BC:01\n"
                )
            },
            given=(sample_domain("<interface type='network'><mac address='00:50:56:9a:bc:99'/></interface>\n"),),
            flags=("/etc/NetworkManager/system-connections/lan.nmconnection:4",),
            fixed={
                "/etc/NetworkManager/system-connections/lan.nmconnection": (
                    "[connection]\nid=lan\ntype=ethernet\n[ethernet]\nmac-address=00:50:56:9A:BC:01\n"
                ),
            },
            title="by its definition the machine has another address, by which no name can be kept",
        ),
        Example(
            {"/etc/systemd/network/10-lan.network": "[Match]\nName=ens192\n[Network]\nDHCP=yes\n"},
            given=(CardNames(keep=True), sample_domain("<interface type='network'><mac address='00:50:56:9a:bc:01'/></interface>\n")),
            flags=("/etc/systemd/network/10-lan.network:2",),
            fixed={
                "/etc/systemd/network/10-v2vlint-ens192.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n\n[Link]\nName=ens192\n",
            },
            title="with --keep-names, by the address in the machine's definition",
        ),
        Example(
            {"/etc/systemd/network/10-lan.network": "[Match]\nName=ens192\n[Network]\nDHCP=yes\n"},
            given=(CardNames(keep=True, macs=(("ens192", "00:22:48:00:00:01"),)),),
            target="azure",
            flags=("/etc/systemd/network/10-lan.network:2",),
            fixed={
                "/etc/systemd/network/10-v2vlint-ens192.link": "[Match]\nMACAddress=00:22:48:00:00:01\n\n[Link]\nName=ens192\n",
            },
            title="with --mac, by an address known of the target",
        ),
        Example(
            {**_CLOUD_INIT, "/etc/netplan/50-cloud-init.yaml": "network:\n  version: 2\n  ethernets:\n    ens160:\n      dhcp4: true\n"},
            flags=("/etc/netplan/50-cloud-init.yaml:4",),
            fixed={
                "/etc/netplan/50-cloud-init.yaml": (
                    'network:\n  version: 2\n  ethernets:\n    ens160:\n      match: {name: "e*"}\n      dhcp4: true\n'
                ),
                "/etc/cloud/cloud.cfg.d/99-v2vlint-network.cfg": (
                    "# Written by v2vlint: the rendered network configuration was changed.\nnetwork: {config: disabled}\n"
                ),
            },
            title="cloud-init has written it and would write it again",
        ),
        Example(
            {
                "/etc/netplan/01-nm.yaml": (
                    "network:\n  version: 2\n  renderer: NetworkManager\n  ethernets:\n    ens160:\n      dhcp4: true\n"
                )
            },
            flags=("/etc/netplan/01-nm.yaml:5",),
            fixed={
                "/etc/netplan/01-nm.yaml": (
                    "network:\n  version: 2\n  renderer: NetworkManager\n  ethernets:\n    ens160:\n      match: {}\n      dhcp4: true\n"
                )
            },
            title="older netplan refuses patterns that NetworkManager is to match",
        ),
        Example(
            {
                "/lib/udev/rules.d/80-net-name-slot.rules": 'NAME="$env{ID_NET_NAME_SLOT}"\n',
                "/etc/network/interfaces": "auto ens192\niface ens192 inet dhcp\n",
            },
            given=(CardNames(keep=True, macs=(("ens192", "00:22:48:00:00:01"),)),),
            target="azure",
            flags=("/etc/network/interfaces:2",),
            fixed={
                "/etc/udev/rules.d/70-v2vlint-ens192.rules": (
                    'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="00:22:48:00:00:01", ATTR{type}=="1", NAME="ens192"\n'
                ),
            },
            title="a udev that reads no .link files",
        ),
        Example(
            {
                **_NM_WITH_IFCFG,
                "/etc/sysconfig/network-scripts/ifcfg-ens192": "TYPE=Ethernet\nDEVICE=ens192\nBOOTPROTO=dhcp\nONBOOT=yes\n",
            },
            flags=("/etc/sysconfig/network-scripts/ifcfg-ens192:2",),
            fixed={"/etc/sysconfig/network-scripts/ifcfg-ens192": "TYPE=Ethernet\nBOOTPROTO=dhcp\nONBOOT=yes\n"},
            title="NetworkManager reads it",
        ),
        Example(
            {"/etc/sysconfig/network-scripts/ifcfg-ens192": "DEVICE=ens192\nBOOTPROTO=dhcp\nONBOOT=yes\n"},
            flags=("/etc/sysconfig/network-scripts/ifcfg-ens192:1",),
            title="who reads it is not known, so there is no fix",
        ),
        Example(
            {"/etc/sysconfig/network/ifcfg-ens192": "BOOTPROTO='static'\nSTARTMODE='auto'\nIPADDR='192.0.2.15/24'\n"},
            flags=("/etc/sysconfig/network/ifcfg-ens192:1",),
            title="the file name is the interface name",
        ),
        Example(
            {"/etc/network/interfaces": "auto vmbr0\niface vmbr0 inet dhcp\n\tbridge_ports ens192\n"},
            flags=("/etc/network/interfaces:3",),
            title="a bridge port",
        ),
        Example(
            {"/etc/network/interfaces": "auto enp1s0\niface enp1s0 inet dhcp\n"},
            flags=("/etc/network/interfaces:2",),
            severity=Severity.INFO,
            title="what libvirt usually gives",
        ),
        Example(
            {
                **_IFUPDOWN,
                "/etc/network/interfaces": (
                    "auto ens192\niface ens192 inet static\n address 10.0.0.5/24\n gateway 10.0.0.1\n"
                    "auto lan0\niface lan0 inet static\n address 10.1.0.5/24\n"
                ),
            },
            flags=("/etc/network/interfaces:2",),
            severity=Severity.WARNING,
            title="a card stays, but not the one with the default route",
        ),
        Example({"/etc/network/interfaces": "auto ens3\niface ens3 inet dhcp\n"}, target="vmware", flags=("/etc/network/interfaces:2",)),
        Example(
            {"/etc/systemd/network/wired.network": "[Match]\nName=ens*\n[Network]\nDHCP=yes\n"},
            flags=("/etc/systemd/network/wired.network:2",),
        ),
        Example({"/etc/network/interfaces": f"{_LO}auto eth0\niface eth0 inet dhcp\n# iface ens192 inet dhcp\n"}),
        Example({"/etc/netplan/x.yaml": 'network: {ethernets: {all: {match: {name: "en*"}, dhcp4: true}}}\n'}),
        Example({"/etc/NetworkManager/system-connections/wired": "[connection]\nid=wired\ntype=802-3-ethernet\n[ipv4]\nmethod=auto\n"}),
        Example({"/etc/NetworkManager/system-connections/old": "[connection]\ntype=ethernet\ninterface-name=ens192\nautoconnect=false\n"}),
        Example({"/etc/sysconfig/network-scripts/ifcfg-ens192": "DEVICE=ens192\nONBOOT=no\n"}),
        Example({"/etc/sysconfig/network-scripts/ifcfg-ens192.bak": "DEVICE=ens192\nONBOOT=yes\n"}),
        Example(
            {
                "/etc/network/interfaces": "auto ens192\niface ens192 inet dhcp\n",
                "/etc/systemd/network/10-lan.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Link]\nName=ens192\n",
            },
            title="a .link file keeps the name, as the target keeps the MAC address",
        ),
        Example(
            {
                "/etc/network/interfaces": "auto ens192\niface ens192 inet dhcp\n",
                "/etc/default/grub": 'GRUB_CMDLINE_LINUX="net.ifnames=0"\n',
            },
            title="cards are called eth0 there and here: this one is stale anyway",
        ),
    )

    def check(self, landing: NetworkLanding, target: Target, macs: CardMacs, cloud_init: CloudInit) -> Iterator[Finding]:
        if not landing.network.interfaces:
            raise NotApplicable("no network configuration was found")
        for loss in landing.losses:
            if loss.key not in (MatchKey.NAME, MatchKey.ANY_NAME) or loss.pins or not loss.tokens or not _is_own(loss.tokens[0]):
                continue
            severity = _severity(loss, landing)
            if severity is not None:
                message = f"{loss.config.manager} configures {_what(loss)}, {_why(loss)}"
                effect = _effect(loss, landing, target, severity)
                fix = _fix(loss, landing, target, macs)
                yield self.finding(loss.where, message, effect, severity=severity, fix=fix and cloud_init.lasting(fix))


def _is_own(token: Token) -> bool:
    """Whether the name belongs to this rule; names from a physical machine's firmware have their own."""
    return ifname_kind(token.value) is not IfNameKind.BIOSDEVNAME


def _severity(loss: Loss, landing: NetworkLanding) -> Severity | None:
    """None if another configuration does the same for the card: alternatives in a list, or a general one beside a specific one."""
    if landing.cut_off and loss.survival is Survival.LOST:
        return Severity.ERROR
    if loss.usual is not Survival.LOST:
        return Severity.INFO
    if landing.covered is not Survival.LOST and not _is_static(loss, landing) and landing.routed is not Survival.LOST:
        return None
    return Severity.WARNING


def _is_static(loss: Loss, landing: NetworkLanding) -> bool:
    """Whether a fixed address depends on it: its own, or that of an interface on top of it."""
    return any(interface.addresses for interface in (loss.config, *landing.network.uppers(loss.config)))


def _what(loss: Loss) -> str:
    names = ("anything but " if loss.excludes else "") + ", ".join(token.value for token in loss.tokens[:6])
    return f"{loss.config.label} on {names}" if loss.config.is_virtual else names


def _why(loss: Loss) -> str:
    if len(loss.tokens) > 1 or is_glob(loss.tokens[0].value):
        return f"which {'matches no' if loss.survival is Survival.LOST else 'may match no'} card there"
    kind = ifname_kind(loss.tokens[0].value)
    if kind is IfNameKind.KERNEL:
        return "but udev names cards by place"
    if kind in (IfNameKind.CUSTOM, IfNameKind.VIRTUAL):
        return "a name that is assigned to certain cards only"
    return "a name that changes with the virtual hardware"


def _effect(loss: Loss, landing: NetworkLanding, target: Target, severity: Severity) -> str:
    if severity is Severity.ERROR:
        return "the card gets another name there and nothing else is configured: the guest comes up without network"
    if severity is Severity.INFO:
        return f"{target.name} usually gives this name, but in another slot the card stays without its configuration"
    verb = "gets" if loss.survival is Survival.LOST else "may get"
    if landing.covered is Survival.KEPT:
        return f"the card {verb} another name on {target.name}; another configuration then applies to it, without this fixed address"
    if landing.routed is Survival.LOST and landing.usual is Survival.KEPT:
        return f"the card {verb} another name on {target.name}, and the default route is lost with it: other networks are unreachable"
    rest = f"; {landing.fallback}, so it is reached at another address" if landing.fallback else " and then has no configuration"
    return f"the card {verb} another name on {target.name}{rest}"


def _address(loss: Loss, landing: NetworkLanding, target: Target, macs: CardMacs) -> str:
    """The MAC address by which the card can keep the name: from the configuration itself, or supplied by the user."""
    config, keeps = loss.config, target.carries_mac
    gone = any(other.config is config and other.key is MatchKey.MAC for other in landing.losses)
    if config.mac is not None and config.name is not None and not config.is_virtual and target.keeps_mac and not gone:
        return config.mac.value.lower()
    return macs.address(loss.tokens[0].value, keeps_mac=keeps) if macs.keep else ""


def _keep(name: str, mac: str, network: Network) -> WriteFile:
    """The file by which this guest's udev assigns the name: a .link file if supported, else a rule."""
    if network.policy.by_link:
        return WriteFile(f"/etc/systemd/network/10-v2vlint-{name}.link", f"[Match]\nMACAddress={mac}\n\n[Link]\nName={name}\n")
    rule = f'SUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="{mac}", ATTR{{type}}=="1", NAME="{name}"\n'
    return WriteFile(f"/etc/udev/rules.d/70-v2vlint-{name}.rules", rule)


def _fix(loss: Loss, landing: NetworkLanding, target: Target, macs: CardMacs) -> Fix | None:
    token, config, network = loss.tokens[0], loss.config, landing.network
    if _NAME.fullmatch(token.value) and (mac := _address(loss, landing, target, macs)):
        return Fix(f"keep the name {token} by the card's MAC address", Applicability.SAFE, (_keep(token.value, mac, network),))
    if config.is_virtual or token not in config.names:
        return None
    # The network scripts would take the name from that of the file instead.
    if not config.edits.match_any or len(network.cards) != 1 or config.manager is Manager.NETWORK_SCRIPTS:
        return None
    # A fixed address may be meant for one card only, and ifupdown knows patterns since 0.8.20 only.
    safe = config.method is Method.DHCP and config.manager is not Manager.IFUPDOWN
    applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    return Fix(f"apply the configuration of {token} to any ethernet card", applicability, config.edits.match_any)
