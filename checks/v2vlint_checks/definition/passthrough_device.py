"""Rule passthrough-device."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Definition,
    Example,
    Finding,
    Rule,
    Severity,
    sample_domain,
    sample_vmx,
)

_WORDS = {"network card": "network card", "vgpu": "vGPU"}


class PassthroughDevice(Rule):
    """The machine uses a device of its host directly.

    ## What it does
    Finds PCI, USB, SCSI and mediated devices, virtual functions of network cards and virtual GPUs that the definition passes through.

    ## Why it matters
    The device belongs to the old host. virt-v2v leaves it out, and Forklift refuses to plan the migration.

    ## References
    - Forklift `vmware.passthrough_device.detected`, `ovirt.host_devices.mapped`; virt-v2v `parse_libvirt_xml.ml`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example(
            {},
            given=(sample_domain("<hostdev mode='subsystem' type='pci'/>\n<interface type='hostdev'/>\n"),),
            flags=("guest.xml:3", "guest.xml:4"),
        ),
        Example({}, given=(sample_vmx('pciPassthru0.id = "00000:059:00.0"\npciPassthru0.present = "TRUE"\n'),), flags=("guest.vmx:2",)),
        Example({}, given=(sample_vmx('pciPassthru0.present = "FALSE"\n'),)),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        for device in definition.passthrough:
            name = f" {device.value}" if device.value else ""
            left = "virt-v2v leaves it out" if conversion.by_virt_v2v else "it stays on the old host"
            message = f"the machine uses a {_WORDS.get(device.kind, f'{device.kind.upper()} device')} of its host{name}"
            yield self.finding(device.where, message, f"{left}; whatever the guest uses it for stops working")
