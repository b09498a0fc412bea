"""Rule mapped-disk."""

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

_LUN = "<disk type='block' device='lun'>\n<source dev='/dev/sdx'/>\n<target dev='sda' bus='scsi'/>\n</disk>\n"
_BLOCK = "<disk type='block' device='disk'>\n<source dev='/dev/vg/guest'/>\n<target dev='vda' bus='virtio'/>\n</disk>\n"


class MappedDisk(Rule):
    """A disk is a storage device passed to the machine directly.

    ## What it does
    Finds raw device mappings in VMX files and `device='lun'` disks in libvirt.

    ## Why it matters
    The whole device is copied, and the guest no longer talks to the storage array: SCSI reservations, multipath names and array tools
    stop working. virt-v2v ignores libvirt's LUN disks altogether.

    ## References
    - Forklift `vmware.disk.rdm.detected`, `ovirt.disk.scsi_reservation.enabled`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain("", disk=_LUN),), flags=("guest.xml:4",)),
        Example({}, given=(sample_vmx('scsi0:1.deviceType = "rawDisk"\nscsi0:1.fileName = "rdm.vmdk"\n'),), flags=("guest.vmx:2",)),
        Example({}, given=(sample_domain("", disk=_BLOCK),), title="a logical volume as a plain disk is copied like any other"),
        Example({}, given=(sample_vmx('scsi0:1.deviceType = "scsi-hardDisk"\nscsi0:1.fileName = "a.vmdk"\n'),)),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        for disk in definition.disks:
            if disk.mapped not in ("", "block"):
                unseen = conversion.by_virt_v2v and disk.mapped == "lun"
                effect = (
                    "virt-v2v leaves the disk out" if unseen else "its copy is a plain disk, without the array's reservations and paths"
                )
                yield self.finding(disk.where, f"the disk {disk.path or disk.target} is a mapped device ({disk.mapped})", effect)
