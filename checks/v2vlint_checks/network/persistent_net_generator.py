"""Rule persistent-net-generator."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Delete,
    Edit,
    Example,
    Finding,
    Fix,
    NotApplicable,
    Rule,
    Severity,
    Target,
    UdevNet,
    WriteFile,
    sample_target,
)

_NAME = "75-persistent-net-generator.rules"
_MASK = f"/etc/udev/rules.d/{_NAME}"
_TEXT = 'ACTION=="add", SUBSYSTEM=="net", KERNEL=="eth*", IMPORT{program}="write_net_rules"\n'
_RULE = 'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:01", NAME="eth0"\n'
_NOTE = "# Empty on purpose: cards are no longer named by the MAC address they were first seen with.\n"


class PersistentNetGenerator(Rule):
    """udev writes a permanent name for every network card it meets.

    ## What it does
    Finds the generator of `70-persistent-net.rules` (`75-persistent-net-generator.rules`) if it is active, not masked, and does not exclude
    the addresses of the target's cards, as most versions do with those of virtual machines. It does immediate harm only if a rule already
    reserves a name.

    ## Why it matters
    Each new MAC address takes the next name: a guest that gets a new one at every move or copy counts up to `eth1`, `eth2`…, and its
    configuration for `eth0` applies to none of them.

    ## Fix safety
    Safe: the generator is masked, and cards get the kernel's names again. Rules it has already written stay.

    ## References
    - Debian dropped it in release 9; virt-sysprep's `udev-persistent-net` removes its output
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT},
            target="azure",
            flags=(f"/lib/udev/rules.d/{_NAME}",),
            severity=Severity.INFO,
            fixed={_MASK: _NOTE},
        ),
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT}, flags=(f"/lib/udev/rules.d/{_NAME}",), severity=Severity.INFO, title="harmless once"
        ),
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT, "/etc/udev/rules.d/70-persistent-net.rules": _RULE},
            target="azure",
            flags=(f"/lib/udev/rules.d/{_NAME}",),
            severity=Severity.WARNING,
            title="a rule has reserved eth0 for the card that is left behind",
        ),
        Example(
            {f"/lib/udev/rules.d/{_NAME}": f'ENV{{MATCHADDR}}=="00:15:5d:*", GOTO="persistent_net_generator_end"\n{_TEXT}'},
            target="hyperv-gen1",
            title="addresses of Hyper-V are left out",
        ),
        Example({_MASK: _TEXT}, target="gce", flags=(_MASK,), fixed={_MASK: None}),
        Example({f"/lib/udev/rules.d/{_NAME}": _TEXT, _MASK: ""}, target="azure", title="masked"),
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT, "/etc/udev/rules.d/70-persistent-net.rules": _RULE},
            given=(sample_target(macs=("52:54:00:00:00:01",)),),
            flags=(f"/lib/udev/rules.d/{_NAME}",),
            severity=Severity.WARNING,
            title="the machine there has an address of its own",
        ),
    )

    def check(self, udev: UdevNet, target: Target) -> Iterator[Finding]:
        if udev.generator is None or udev.names_new_card(target.mac_prefixes) is False:
            raise NotApplicable("udev writes no permanent names, or not for the target's cards")
        path = udev.generator.path
        effect = f"{target.name} gives the card a new MAC address, which then takes the next free name"
        stays = target.keeps_mac and all(target.has_mac(rule.mac.value) for rule in udev.rules if rule.mac is not None)
        if stays:
            effect = "no effect while the MAC address stays; a copy with a new one gets the next free name"
        edit: Edit = Delete(path) if path.startswith("/etc/") else WriteFile(f"/etc/udev/rules.d/{path.rpartition('/')[2]}", _NOTE)
        fix = Fix("stop udev from writing permanent names", Applicability.SAFE, (edit,))
        reserved = any(rule.mac is not None for rule in udev.rules)
        severity = Severity.WARNING if reserved and not stays else Severity.INFO
        yield self.finding(udev.generator, "udev writes a permanent name for every network card", effect, severity=severity, fix=fix)
