"""Rule independent-disk."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain, sample_vmx

_TRANSIENT = "<disk type='file' device='disk'>\n<source file='/vm/d.raw'/>\n<target dev='vda'/>\n<transient/>\n</disk>\n"


class IndependentDisk(Rule):
    """A disk takes no part in snapshots, or discards what is written to it.

    ## What it does
    Finds VMX disks in independent mode and libvirt's transient disks.

    ## Why it matters
    Tools that copy a snapshot of a machine skip independent disks. A nonpersistent or transient disk reverts at each power-off; its copy
    does not.

    ## References
    - Forklift `vmware.disk_mode.independent`; libvirt, "transient"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example(
            {},
            given=(sample_vmx('scsi0:0.fileName = "a.vmdk"\nscsi0:0.mode = "independent-nonpersistent"\n'),),
            flags=("guest.vmx:1",),
            severity=Severity.WARNING,
        ),
        Example({}, given=(sample_domain("", disk=_TRANSIENT),), flags=("guest.xml:4",)),
        Example({}, given=(sample_vmx('scsi0:0.fileName = "a.vmdk"\nscsi0:0.mode = "persistent"\n'),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for disk in definition.disks:
            if disk.mode:
                forgets = disk.mode in ("transient", "independent-nonpersistent")
                effect = "after the move, changes to it persist" if forgets else "tools that copy a snapshot of the machine leave it out"
                yield self.finding(disk.where, f"the disk {disk.path or disk.target} is {disk.mode}", effect)
