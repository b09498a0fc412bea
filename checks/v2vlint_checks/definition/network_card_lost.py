"""Rule network-card-lost."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Definition,
    Example,
    Finding,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    sample_domain,
)

_KEPT = frozenset({"", "network", "bridge"})


class NetworkCardLost(Rule):
    """virt-v2v leaves out a network card of the machine.

    ## What it does
    Finds interfaces of a libvirt domain that are neither on a network nor on a bridge (`direct`, `user`, `vhostuser`…).

    ## Why it matters
    virt-v2v reads only those two; the guest comes up without the other cards.

    ## References
    - virt-v2v `parse_libvirt_xml.ml`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example(
            {},
            given=(sample_domain("<interface type='direct'><mac address='52:54:00:00:00:01'/></interface>\n"),),
            mover=Mover.VIRT_V2V,
            flags=("guest.xml:3",),
        ),
        Example({}, given=(sample_domain("<interface type='direct'/>\n"),), title="a raw copy leaves the cards to the new definition"),
        Example({}, given=(sample_domain("<interface type='bridge'><source bridge='br0'/></interface>\n"),), mover=Mover.VIRT_V2V),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        if not conversion.by_virt_v2v or definition.source != "libvirt":
            raise NotApplicable("not a libvirt domain converted by virt-v2v")
        for nic in definition.nics:
            if nic.kind not in _KEPT:
                effect = "virt-v2v leaves it out: the guest has one card fewer"
                yield self.finding(nic.where, f"a network card of type {nic.kind} ({nic.mac or 'no address'})", effect)
