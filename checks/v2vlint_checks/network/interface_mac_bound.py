"""Rule interface-mac-bound."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    CardNames,
    CloudInit,
    Example,
    Finding,
    Fix,
    InterfaceConfig,
    MatchKey,
    Network,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    Target,
)

_NETPLAN = (
    "network:\n  version: 2\n  ethernets:\n    lan:\n      match:\n        macaddress: 00:50:56:9a:bc:01\n"
    "      set-name: lan\n      dhcp4: true\n"
)
_RHEL6 = {
    "/sbin/init": "",
    "/etc/sysconfig/network-scripts/ifup-eth": "",
    "/etc/rc.d/rc3.d/S10network": "",
}


class InterfaceMacBound(Rule):
    """A network configuration is bound to a MAC address that does not travel.

    ## What it does
    Finds configurations that select a card by its MAC address (`HWADDR=`, `mac-address=`, `macaddress:`, `MACAddress=`) on targets that
    assign the card a new one. Configurations that *set* the card's address have a rule of their own.

    ## Why it matters
    No card there has that address, so the configuration never applies; Red Hat's scripts report "unexpected MAC address, ignoring".

    ## Fix safety
    Unsafe: with several cards, the address is what distinguished them. Offered only if there is one card.

    ## References
    - GCE's and Azure's import tools remove such lines; canonical/cloud-init#3611
    - netplan-yaml(5), nm-settings-keyfile(5), systemd.network(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    predicts = (r"has different MAC address than expected, ignoring", r"instead of configured address .*Ignoring")
    examples = (
        Example(
            {**_RHEL6, "/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nHWADDR=00:50:56:9A:BC:01\nBOOTPROTO=dhcp\nONBOOT=yes\n"},
            target="azure",
            flags=("/etc/sysconfig/network-scripts/ifcfg-eth0:2",),
            severity=Severity.ERROR,
            fixed={"/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n"},
        ),
        Example(
            {"/etc/netplan/50-cloud-init.yaml": _NETPLAN},
            target="gce",
            flags=("/etc/netplan/50-cloud-init.yaml:6",),
            severity=Severity.WARNING,
            fixed={
                "/etc/netplan/50-cloud-init.yaml": (
                    'network:\n  version: 2\n  ethernets:\n    lan:\n      match:\n        name: "e*"\n      dhcp4: true\n'
                )
            },
        ),
        Example(
            {"/etc/systemd/network/lan.network": "[Match]\nMACAddress=00:50:56:9a:bc:01\n[Network]\nDHCP=yes\n"},
            target="openstack",
            flags=("/etc/systemd/network/lan.network:2",),
            fixed={"/etc/systemd/network/lan.network": "[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n"},
        ),
        Example(
            {
                "/etc/NetworkManager/system-connections/lan.nmconnection": (
                    "[connection]\nid=lan\ntype=ethernet\n\n[ethernet]\nmac-address=00:50:56:9A:BC:01\ncloned-mac-address=stable\n"
                )
            },
            target="ec2-nitro",
            flags=("/etc/NetworkManager/system-connections/lan.nmconnection:6",),
            fixed={
                "/etc/NetworkManager/system-connections/lan.nmconnection": (
                    "[connection]\nid=lan\ntype=ethernet\n\n[ethernet]\ncloned-mac-address=stable\n"
                )
            },
        ),
        Example(
            {"/etc/netplan/lan.yaml": _NETPLAN + _NETPLAN.partition("ethernets:\n")[2].replace("lan", "dmz").replace(":01", ":02")},
            target="gce",
            flags=("/etc/netplan/lan.yaml:6", "/etc/netplan/lan.yaml:11"),
            title="the addresses tell two cards apart",
        ),
        Example(
            {
                "/sbin/init": "",
                "/usr/bin/cloud-init": "",
                "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": "",
                "/etc/netplan/50-cloud-init.yaml": _NETPLAN,
            },
            target="gce",
            flags=("/etc/netplan/50-cloud-init.yaml:6",),
            fixed={
                "/etc/netplan/50-cloud-init.yaml": (
                    'network:\n  version: 2\n  ethernets:\n    lan:\n      match:\n        name: "e*"\n      dhcp4: true\n'
                ),
                "/etc/cloud/cloud.cfg.d/99-v2vlint-network.cfg": (
                    "# Written by v2vlint: the rendered network configuration was changed.\nnetwork: {config: disabled}\n"
                ),
            },
            title="cloud-init has written it and would write it again",
        ),
        Example(
            {
                f"/etc/systemd/network/{name}.network": f"[Match]\nMACAddress=00:50:56:9a:bc:{number:02}\n[Network]\nDHCP=yes\n"
                for number, name in enumerate(("dmz", "lan"))
            },
            target="openstack",
            flags=("/etc/systemd/network/dmz.network:2", "/etc/systemd/network/lan.network:2"),
            title="without their addresses both files would match both cards",
        ),
        Example({"/etc/netplan/50-cloud-init.yaml": _NETPLAN}, title="libvirt keeps the address"),
        Example(
            {"/etc/netplan/50-cloud-init.yaml": _NETPLAN},
            given=(CardNames(macs=(("lan", "00:50:56:9a:bc:01"),)),),
            target="azure",
            title="--mac says that the card has it",
        ),
        Example({"/etc/sysconfig/network-scripts/ifcfg-bond0": "DEVICE=bond0\nTYPE=Bond\nMACADDR=00:50:56:9A:BC:01\n"}, target="azure"),
        Example({"/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n  hwaddress ether 00:50:56:9a:bc:01\n"}, target="azure"),
    )

    def check(self, landing: NetworkLanding, cloud_init: CloudInit, target: Target) -> Iterator[Finding]:
        if target.carries_mac:
            raise NotApplicable(f"{target.name} keeps MAC addresses")
        for loss in landing.losses:
            interface = loss.config
            # A configuration can also depend on the address through what gives the card its name: set-name, a .link file.
            if interface.mac is None or not (loss.key is MatchKey.MAC or any(pin.mac is interface.mac for pin in loss.pins)):
                continue
            severity = Severity.ERROR if landing.cut_off and loss.survival is Survival.LOST else Severity.WARNING
            message = f"{interface.manager} configures only the card with the MAC address {interface.mac}"
            effect = _effect(interface, cloud_init, severity, target)
            fix = _forget(interface, landing.network)
            fix = fix and cloud_init.lasting(fix)
            yield self.finding(interface.mac.where, message, effect, severity=severity, fix=fix)


def _effect(interface: InterfaceConfig, cloud_init: CloudInit, severity: Severity, target: Target) -> str:
    if severity is Severity.ERROR:
        return f"{target.name} assigns the card another address and nothing else is configured: the guest comes up without network"
    if "cloud-init" in interface.where.path and cloud_init.writes_network:
        return "it does not apply to the new card; cloud-init writes it again if it finds its data source there"
    return f"{target.name} assigns the card another address, so it stays without its configuration"


def _forget(interface: InterfaceConfig, network: Network) -> Fix | None:
    if not interface.edits.drop_mac or len(network.cards) != 1:
        return None
    return Fix(f"stop requiring the MAC address {interface.mac}", Applicability.UNSAFE, interface.edits.drop_mac)
