"""Rule disk-file-missing."""

import dataclasses
from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Definition,
    Example,
    Finding,
    Rule,
    Severity,
    sample_vmx,
)

_VMX = sample_vmx('scsi0:0.fileName = "a.vmdk"\nscsi0:1.fileName = "b.vmdk"\n')
_GONE = dataclasses.replace(_VMX, disks=(_VMX.disks[0], dataclasses.replace(_VMX.disks[1], missing=True)))


class DiskFileMissing(Rule):
    """The definition names a disk whose file does not exist.

    ## What it does
    Compares the disks of the definition with the files beside it (in an OVA: in the archive).

    ## Why it matters
    virt-v2v refuses such a machine. Whatever the guest mounts from that disk cannot be judged here.

    ## References
    - virt-v2v `input_ova.ml`, `input_vmx.ml`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(_GONE,), flags=("guest.vmx:2",), severity=Severity.WARNING),
        Example({}, given=(_VMX,)),
    )

    def check(self, definition: Definition, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        for disk in definition.disks:
            if disk.missing:
                effect = "virt-v2v refuses the machine" if conversion.by_virt_v2v else "what is on it does not come along"
                yield self.finding(disk.where, f"the file of the disk {disk.path} is missing", effect)
