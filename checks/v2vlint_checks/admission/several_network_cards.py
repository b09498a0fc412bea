"""Rule several-network-cards."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, NotApplicable, Rule, Severity, Target, sample_domain

_CARD = "<interface type='bridge'><source bridge='br0'/></interface>\n"


class SeveralNetworkCards(Rule):
    """The machine has more network cards than the target's import creates.

    ## What it does
    Compares the cards of the definition with `limits.cards` of the target's profile.

    ## Why it matters
    VM Import creates a single card that uses DHCP, whatever the machine had. The others have to be added manually, and get other names than
    those in the guest's configuration.

    ## References
    - AWS, "VM Import/Export requirements": "Multiple network interfaces are not currently supported"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.2"
    examples = (
        Example({}, given=(sample_domain(f"{_CARD}{_CARD}"),), target="ec2-nitro", flags=("guest.xml:4",)),
        Example({}, given=(sample_domain(_CARD),), target="ec2-nitro"),
        Example({}, given=(sample_domain(f"{_CARD}{_CARD}"),), title="KVM takes any number"),
    )

    def check(self, definition: Definition, target: Target) -> Iterator[Finding]:
        definition.require()
        most = target.limits.cards
        if not most:
            raise NotApplicable(f"{target.name} takes any number of network cards")
        if len(definition.nics) > most:
            message = f"the machine has {len(definition.nics)} network cards, and the import makes {most}"
            yield self.finding(definition.nics[most].where, message, "the others have to be added by hand, with new addresses")
