"""Rule shared-disk."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain, sample_vmx

_SHARED = "<disk type='file' device='disk'>\n<source file='/vm/d.raw'/>\n<target dev='vda'/>\n<shareable/>\n</disk>\n"


class SharedDisk(Rule):
    """A disk is shared with other machines.

    ## What it does
    Finds disks with `<shareable/>` in libvirt, multi-writer sharing or a shared bus in VMX files.

    ## Why it matters
    A copy is no longer shared: two cluster nodes then write to two different disks, or the copy is taken while another node writes.

    ## References
    - Forklift `vmware.disk.shared.detected`, `ovirt.disk.shared.detected`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_domain("", disk=_SHARED),), flags=("guest.xml:4",)),
        Example({}, given=(sample_vmx('scsi1.sharedBus = "virtual"\nscsi1:0.fileName = "q.vmdk"\n'),), flags=("guest.vmx:2",)),
        Example({}, given=(sample_vmx('scsi0:0.fileName = "q.vmdk"\nscsi0:0.sharing = "multi-writer"\n'),), flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('scsi0.sharedBus = "none"\nscsi0:0.fileName = "q.vmdk"\n'),)),
        Example({}, given=(sample_domain(""),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for disk in definition.disks:
            if disk.shared:
                message = f"the disk {disk.path or disk.target} is shared with other machines"
                yield self.finding(disk.where, message, "the copy is not shared: the machines no longer see each other's writes")
