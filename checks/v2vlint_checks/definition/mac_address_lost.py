"""Rule mac-address-lost."""

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
    Target,
    sample_domain,
    sample_target,
    sample_vmx,
)

_STATIC = (
    'ethernet0.present = "TRUE"\nethernet0.addressType = "static"\nethernet0.address = "00:50:56:01:02:03"\n'
    'ethernet0.connectionType = "bridged"\n'
)
_GENERATED = 'ethernet0.present = "TRUE"\nethernet0.generatedAddress = "00:0c:29:01:02:03"\n'


class MacAddressLost(Rule):
    """A network card's MAC address is not carried over to the target.

    ## What it does
    On targets that keep addresses, finds cards for which the definition states none, and, when virt-v2v is the mover, addresses set by hand
    in a VMX file: virt-v2v only reads `generatedAddress`.

    ## Why it matters
    The card gets a new address. Configurations, licences and DHCP reservations tied to the old one no longer apply.

    ## References
    - virt-v2v `parse_vmx.ml`; `virt-v2v --mac` maps an address to a network; it does not set the address
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx(_STATIC),), mover=Mover.VIRT_V2V, flags=("guest.vmx:3",), severity=Severity.WARNING),
        Example({}, given=(sample_domain("<interface type='user'/>\n"),), flags=("guest.xml:3",), severity=Severity.INFO),
        Example({}, given=(sample_vmx(_STATIC),), title="a raw copy can set the address"),
        Example({}, given=(sample_vmx(_GENERATED),), mover=Mover.VIRT_V2V),
        Example({}, given=(sample_vmx(_STATIC),), target="azure", mover=Mover.VIRT_V2V, title="another rule reports that"),
        Example(
            {},
            given=(sample_domain("<interface type='user'/>\n"), sample_target(macs=("52:54:00:00:00:01",))),
            title="the machine there has an address of its own",
        ),
    )

    def check(self, definition: Definition, target: Target, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        if not target.carries_mac:
            raise NotApplicable(f"{target.name} gives cards other MAC addresses")
        for nic in definition.nics:
            if not nic.mac:
                effect = "the card gets a new one, and nothing shows which configuration was meant for it"
                yield self.finding(nic.where, "a network card without a MAC address", effect, severity=Severity.INFO)
            elif nic.fixed and definition.source == "vmx" and conversion.by_virt_v2v:
                effect = "virt-v2v reads only generated addresses: the card gets a new one"
                yield self.finding(nic.where, f"the MAC address {nic.mac} was set by hand", effect)
