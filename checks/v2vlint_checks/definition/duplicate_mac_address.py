"""Rule duplicate-mac-address."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain

_ONE = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='a'/></interface>\n"
_OTHER = "<interface type='network'><mac address='52:54:00:00:00:02'/><source network='b'/></interface>\n"


class DuplicateMacAddress(Rule):
    """Two network cards of the machine have the same MAC address.

    ## What it does
    Compares the MAC addresses of the cards in the definition.

    ## Why it matters
    Hypervisors and importers refuse the second card or give it another address, and settings tied to the address match two cards.

    ## References
    - Forklift `MacConflicts`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain(_ONE + _ONE),), flags=("guest.xml:4",)),
        Example({}, given=(sample_domain(_ONE + _OTHER),)),
        Example({}, given=(sample_domain("<interface type='network'/>\n<interface type='network'/>\n"),), title="none stated"),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        seen: set[str] = set()
        for nic in definition.nics:
            if nic.mac and nic.mac in seen:
                effect = "one of them is refused or gets another address"
                yield self.finding(nic.where, f"two network cards have the MAC address {nic.mac}", effect)
            seen.add(nic.mac)
