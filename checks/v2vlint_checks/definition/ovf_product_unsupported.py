"""Rule ovf-product-unsupported."""

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
    sample_ovf,
)

_VBOX = (
    '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"\n'
    ' xmlns:vbox="http://www.virtualbox.org/ovf/machine"\n'
    ' xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">\n'
)


class OvfProductUnsupported(Rule):
    """The OVF package was not made by VMware, the only producer that virt-v2v supports.

    ## What it does
    Determines from the envelope's XML namespaces which product wrote it.

    ## Why it matters virt-v2v and Forklift are tested with VMware's packages only. Other products use OVF differently, and the import may
    miss disks or cards.

    ## References
    - virt-v2v-support(1); Forklift `ova.source.unsupported`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_ovf("", envelope=_VBOX),), mover=Mover.VIRT_V2V, flags=("guest.ovf:1",)),
        Example({}, given=(sample_ovf(""),), mover=Mover.VIRT_V2V),
        Example({}, given=(sample_ovf("", envelope=_VBOX),), title="its disks are disks"),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        if definition.source != "ovf" or not conversion.by_virt_v2v:
            raise NotApplicable("not an OVF package converted by virt-v2v")
        if definition.product != "vmware":
            maker = definition.product or "an unknown product"
            effect = "virt-v2v does not support it: the conversion may fail, or miss disks and cards"
            yield self.finding(definition.at("product"), f"the package was made by {maker}", effect)
