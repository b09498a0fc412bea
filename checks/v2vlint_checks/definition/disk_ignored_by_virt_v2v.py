"""Rule disk-ignored-by-virt-v2v."""

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
    sample_vmx,
)

_RBD = "<disk type='network' device='disk'>\n<source protocol='rbd' name='p/x'/>\n<target dev='vda' bus='virtio'/>\n</disk>\n"
_BARE = "<disk type='file'>\n<source file='/vm/x'/>\n<target dev='vda' bus='virtio'/>\n</disk>\n"
_READABLE = ("nbd", "http", "https")


class DiskIgnoredByVirtV2v(Rule):
    """virt-v2v ignores a disk of the machine.

    ## What it does
    When virt-v2v is the mover, finds libvirt disks without a `device` attribute, LUNs and network disks other than NBD and HTTP, and IDE
    disks of a VMX file without `deviceType = "ata-hardDisk"`.

    ## Why it matters
    virt-v2v skips such a disk, with or without a warning, and the guest comes up without it.

    ## References
    - virt-v2v `parse_libvirt_xml.ml`, `parse_domain_from_vmx.ml`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain("", disk=_RBD),), mover=Mover.VIRT_V2V, flags=("guest.xml:4",)),
        Example({}, given=(sample_domain("", disk=_BARE),), mover=Mover.VIRT_V2V, flags=("guest.xml:3",)),
        Example({}, given=(sample_vmx('ide0:0.fileName = "a.vmdk"\n'),), mover=Mover.VIRT_V2V, flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('ide0:0.fileName = "a.vmdk"\nide0:0.deviceType = "ata-hardDisk"\n'),), mover=Mover.VIRT_V2V),
        Example({}, given=(sample_domain("", disk=_BARE),)),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        effect = "the guest comes up without it"
        for one in definition.features:
            if one.kind == "ignored-disk":
                yield self.finding(one.where, f"virt-v2v ignores the disk {one.value}", effect)
        for disk in definition.disks:
            kind, _, protocol = disk.backing.partition(" ")
            if kind in ("network", "nvme", "vhostuser", "dir", "vhostvdpa") and protocol not in _READABLE:
                yield self.finding(disk.where, f"virt-v2v does not read the disk {disk.target} ({disk.backing})", effect)
