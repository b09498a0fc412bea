"""Rule disk-capacity-invalid."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_ovf

_FILES = (
    '<References><File ovf:id="f" ovf:href="a.vmdk"/></References>\n'
    '<DiskSection><Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="CAPACITY"/></DiskSection>\n'
)


class DiskCapacityInvalid(Rule):
    """The definition gives a disk a size of zero.

    ## What it does
    Finds capacities of zero or less in OVF envelopes.

    ## Why it matters
    Importers create the new disk with the size stated in the envelope, and refuse this one.

    ## References
    - Forklift `ova.disk.capacity.invalid`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_ovf("", _FILES.replace("CAPACITY", "0")),), flags=("guest.ovf:4",)),
        Example({}, given=(sample_ovf("", _FILES.replace("CAPACITY", "16")),)),
        Example({}, given=(sample_ovf("", _FILES.replace(' ovf:capacity="CAPACITY"', "")),), title="not stated"),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for disk in definition.disks:
            if disk.capacity == 0:
                yield self.finding(disk.where, f"the disk {disk.path} has a capacity of 0", "importers refuse it")
