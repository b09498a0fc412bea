"""Rule persistent-net-generator."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Delete, Edit, Example, Finding, Fix, NotApplicable, Rule, Severity, Target, UdevNet, WriteFile

_NAME = "75-persistent-net-generator.rules"
_MASK = f"/etc/udev/rules.d/{_NAME}"
_TEXT = 'ACTION=="add", SUBSYSTEM=="net", KERNEL=="eth*", IMPORT{program}="write_net_rules"\n'
_NOTE = "# Empty on purpose: cards are no longer named by the MAC address they were first seen with.\n"


class PersistentNetGenerator(Rule):
    """udev writes a permanent name for every network card it meets.

    ## What it does
    Finds the generator of `70-persistent-net.rules` (`75-persistent-net-generator.rules`) where it is live, not masked.

    ## Why it matters
    Each new MAC address takes the next name: a guest that gets a new one at every move or copy counts up to `eth1`, `eth2`…, and its
    configuration for `eth0` applies to none of them.

    ## Fix safety
    Safe: the generator is masked, cards are then called by the kernel as before it saw the first one. Rules it has written stay.

    ## References
    - Debian dropped it in release 9; virt-sysprep's `udev-persistent-net` removes what it writes
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT},
            target="azure",
            flags=(f"/lib/udev/rules.d/{_NAME}",),
            severity=Severity.WARNING,
            fixed={_MASK: _NOTE},
        ),
        Example(
            {f"/lib/udev/rules.d/{_NAME}": _TEXT}, flags=(f"/lib/udev/rules.d/{_NAME}",), severity=Severity.INFO, title="harmless once"
        ),
        Example({_MASK: _TEXT}, target="gce", flags=(_MASK,), fixed={_MASK: None}),
        Example({f"/lib/udev/rules.d/{_NAME}": _TEXT, _MASK: ""}, target="azure", title="masked"),
    )

    def check(self, udev: UdevNet, target: Target) -> Iterator[Finding]:
        if udev.generator is None:
            raise NotApplicable("udev writes no permanent names")
        path = udev.generator.path
        effect = f"{target.name} gives the card a new MAC address, which then takes the next free name"
        if target.keeps_mac:
            effect = "nothing while the MAC address stays; a copy with a new one gets the next free name"
        edit: Edit = Delete(path) if path.startswith("/etc/") else WriteFile(f"/etc/udev/rules.d/{path.rpartition('/')[2]}", _NOTE)
        fix = Fix("stop udev from writing permanent names", Applicability.SAFE, (edit,))
        severity = Severity.INFO if target.keeps_mac else Severity.WARNING
        yield self.finding(udev.generator, "udev writes a permanent name for every card it meets", effect, severity=severity, fix=fix)
