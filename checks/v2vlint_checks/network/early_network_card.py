"""Rule early-network-card."""

from collections.abc import Iterator

from v2vlint.api import (
    EarlyCard,
    EarlyNetwork,
    Example,
    Finding,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Survival,
    Target,
    same_mac,
    sample_target,
)

_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Rocky' {\n linux /vmlinuz root=UUID=1 ro {0}\n}\n"
_IP = "ip=192.0.2.5::192.0.2.1:255.255.255.0:web1:ens192:none"


class EarlyNetworkCard(Rule):
    """The kernel command line or the initramfs names a network card that has another name on the target.

    ## What it does
    Checks `ip=`, `bootdev=`, `vlan=`, `bond=`, `bridge=`, `team=`, `rd.route=`, `ifname=` and `BOOTIF=` of the default boot entry, and
    `IP=` and `DEVICE=` of initramfs-tools. Names that `ifname=` assigns to a MAC address kept by the target are fine.

    ## Why it matters
    With `rd.neednet=1` dracut waits for the card: forever with its old scripts (network-legacy), until a time-out with NetworkManager in
    the initramfs. Network services needed before the root (a key server, NFS, iSCSI) are not reached.

    ## References
    - dracut.cmdline(7), `modules.d/35network-legacy/net-genrules.sh`; initramfs-tools(7)
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"IP-Config: Device .* not found", r"ipconfig: .*: SIOCGIFINDEX: No such device")
    examples = (
        Example({_CFG: _ENTRY.replace("{0}", f"rd.neednet=1 {_IP}")}, flags=(f"{_CFG}:2",), severity=Severity.WARNING),
        Example({_CFG: _ENTRY.replace("{0}", "ip=ens192:dhcp")}, flags=(f"{_CFG}:2",)),
        Example({_CFG: _ENTRY.replace("{0}", "vlan=ens192.20:ens192 bond=bond0:ens192,ens224:mode=1")}, flags=(f"{_CFG}:2",) * 3),
        Example({_CFG: _ENTRY.replace("{0}", "BOOTIF=01-00-50-56-9a-bc-01")}, target="azure", flags=(f"{_CFG}:2",)),
        Example({"/etc/initramfs-tools/initramfs.conf": f"MODULES=most\nIP={_IP[3:]}\n"}, flags=("/etc/initramfs-tools/initramfs.conf:2",)),
        Example({_CFG: _ENTRY.replace("{0}", f"{_IP} ifname=ens192:00:50:56:9a:bc:01")}, title="named by an address that travels"),
        Example({_CFG: _ENTRY.replace("{0}", "ip=dhcp ip=::::web1::dhcp rd.neednet=1")}),
        Example({_CFG: _ENTRY.replace("{0}", "BOOTIF=01-00-50-56-9a-bc-01 ip=eth0:dhcp net.ifnames=0")}),
        Example(
            {_CFG: _ENTRY.replace("{0}", f"BOOTIF=01-00-50-56-9a-bc-01 {_IP} ifname=ens192:00:50:56:9a:bc:01")},
            given=(sample_target(macs=("52:54:00:00:00:01",)),),
            flags=(f"{_CFG}:2",) * 2,
            title="the machine there has an address of its own",
        ),
        Example(
            {_CFG: _ENTRY.replace("{0}", f"BOOTIF=01-00-50-56-9a-bc-01 {_IP} ifname=ens192:00:50:56:9a:bc:01")},
            given=(sample_target(macs=("00:50:56:9a:bc:01",)),),
            title="the machine there has the address",
        ),
    )

    def check(self, early: EarlyNetwork, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if not early.cards:
            raise NotApplicable("no boot setting names a network card")
        for card in early.cards:
            survival = _survival(card, early, landing, target)
            if survival is Survival.KEPT:
                continue
            what = f"the card with the MAC address {card.mac}" if card.mac else f"the card {card.name}"
            who = "the initramfs" if card.in_initramfs else "the kernel command line"
            usual = survival is Survival.UNSURE and card.name in landing.usual_names
            yield self.finding(
                card.where,
                f"{who} requires {what} ({card.setting[:80]})",
                _effect(early, survival),
                severity=Severity.INFO if usual else Severity.WARNING,
            )


def _survival(card: EarlyCard, early: EarlyNetwork, landing: NetworkLanding, target: Target) -> Survival:
    if card.mac:
        return Survival.KEPT if target.has_mac(card.mac) else Survival.LOST
    if any(name == card.name and (target.has_mac(mac) or _wished(mac, landing)) for name, mac in early.given):
        return Survival.KEPT
    return landing.name(card.name)


def _wished(mac: str, landing: NetworkLanding) -> bool:
    return any(same_mac(mac, one.mac) for scene in landing.scenes for one in scene.world.cards if one.mac)


def _effect(early: EarlyNetwork, survival: Survival) -> str:
    verb = "has" if survival is Survival.LOST else "may have"
    if early.needed:
        return f"the card {verb} another name there; boot waits for it, forever with dracut's old network scripts"
    return f"the card {verb} another name there, and boot has no network before the root is mounted"
