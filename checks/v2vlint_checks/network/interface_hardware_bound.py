"""Rule interface-hardware-bound."""

from collections.abc import Iterator

from v2vlint.api import (
    Example,
    Finding,
    Loss,
    MatchKey,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    SystemdLinks,
    Target,
    Token,
)

_HARDWARE = (MatchKey.DRIVER, MatchKey.PATH, MatchKey.OTHER)


class InterfaceHardwareBound(Rule):
    """A network configuration is bound to a card's driver or bus address.

    ## What it does
    Finds `Driver=` and `Path=` matches in systemd-networkd and `.link` files, `driver:` matches in netplan and `driver=`, `path=` in
    NetworkManager that the target's card does not match.

    ## Why it matters
    On other virtual hardware the card has another driver (`vmxnet3`, `hv_netvsc`) and another bus address: the configuration, or the name
    it assigns, does not apply.

    ## References
    - systemd.link(5), systemd.network(5), netplan-yaml(5), nm-settings-keyfile(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    examples = (
        Example(
            {
                "/etc/netplan/90-hotplug-azure.yaml": (
                    "network:\n  version: 2\n  ethernets:\n    ephemeral:\n      dhcp4: true\n      match:\n        driver: hv_netvsc\n"
                )
            },
            flags=("/etc/netplan/90-hotplug-azure.yaml:7",),
        ),
        Example(
            {"/etc/systemd/network/10-lan.link": "[Match]\nPath=pci-0000:0b:00.0\n[Link]\nName=lan0\n"},
            flags=("/etc/systemd/network/10-lan.link:2",),
        ),
        Example(
            {
                "/etc/netplan/50-cloud-init.yaml": (
                    "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      match:\n        driver: hv_netvsc\n"
                    "        macaddress: 00:0d:3a:12:34:56\n      set-name: eth0\n"
                )
            },
            target="azure",
            title="the driver fits; the address is another rule's affair",
        ),
        Example(
            {"/etc/systemd/network/x.network": "[Match]\nDriver=!virtio_net\nType=ether\n[Network]\nDHCP=yes\n"},
            flags=("/etc/systemd/network/x.network:2",),
            title="any card but the one that comes",
        ),
        Example({"/etc/systemd/network/lan.network": "[Match]\nDriver=virtio_net\n[Network]\nDHCP=yes\n"}),
        Example({"/usr/lib/systemd/network/73-usb-net-by-mac.link": "[Match]\nPath=*-usb-*\n[Link]\nNamePolicy=mac\n"}),
        Example({"/usr/lib/systemd/network/80-container-ve.network": "[Match]\nName=ve-*\nDriver=veth\n[Network]\nDHCPServer=yes\n"}),
    )

    def check(self, landing: NetworkLanding, links: SystemdLinks, target: Target) -> Iterator[Finding]:
        if not landing.network.interfaces and not links.links:
            raise NotApplicable("no network configuration was found")
        for loss in landing.losses:
            if loss.key in _HARDWARE and (severity := _severity(loss, landing)) is not None:
                what = f"{loss.config.manager} configures {'all cards except those chosen' if loss.excludes else 'a card'}"
                yield self._bound(loss.tokens, what, target, severity, loss.survival)
        for link in links.links:
            hardware = tuple(condition for condition in link.conditions if condition.key in _HARDWARE)
            survival = landing.fit(hardware)
            if link.name and hardware and survival is not Survival.KEPT:
                waits = landing.cut_off and any(pin.name == link.name for loss in landing.losses for pin in loss.pins)
                severity = Severity.ERROR if waits else Severity.WARNING if survival is Survival.LOST else Severity.INFO
                tokens = tuple(token for condition in hardware for token in condition.wanted) or link.hardware
                yield self._bound(tokens, f"the name {link.name} is assigned to a card", target, severity, survival)

    def _bound(self, hardware: tuple[Token, ...], what: str, target: Target, severity: Severity, survival: Survival) -> Finding:
        message = f"{what} by driver or place: {', '.join(map(str, hardware))[:80]}"
        verb = "does not match, so this does not apply" if survival is Survival.LOST else "may not match, so this may not apply"
        return self.finding(hardware[0].where, message, f"the card on {target.name} {verb}", severity=severity)


def _severity(loss: Loss, landing: NetworkLanding) -> Severity | None:
    """None if another configuration does the same for the card."""
    if not loss.tokens:
        return None
    if landing.cut_off and loss.survival is Survival.LOST:
        return Severity.ERROR
    if landing.covered is not Survival.LOST and not loss.config.addresses:
        return None
    return Severity.WARNING if loss.usual is Survival.LOST else Severity.INFO
