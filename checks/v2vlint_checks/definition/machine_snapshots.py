"""Rule machine-snapshots."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Feature, Finding, Rule, Severity, sample_domain, sample_vmx

_LISTED = 'snapshot.numSnapshots = "1"\nsnapshot0.uid = "2"\nsnapshot0.displayName = "before upgrade"\n'


class MachineSnapshots(Rule):
    """The machine has snapshots.

    ## What it does
    Finds disks that are a snapshot's delta, snapshots listed in a VMX machine's .vmsd file or an OVF envelope, and snapshots of a live
    libvirt domain.

    ## Why it matters The newest delta contains the guest's current state: a copy of the base image alone is the guest at an earlier time.
    Snapshots do not travel.

    ## References
    - Forklift `vmware.snapshot.detected`; virt-v2v-input-vmware(1) refuses chains over ssh
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example(
            {},
            given=(sample_vmx('scsi0:0.fileName = "web-000002.vmdk"\n', _LISTED),),
            flags=("guest.vmsd", "guest.vmx:1"),
            severity=Severity.INFO,
        ),
        Example({}, given=(sample_vmx('scsi0:0.fileName = "web.vmdk"\n', 'snapshot.numSnapshots = "0"\n'),)),
        Example({}, given=(sample_domain(""),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for snapshot in definition.snapshots:
            severity = Severity.WARNING if snapshot.kind == "delta" else Severity.INFO
            yield self.finding(snapshot.where, _message(snapshot), _effect(snapshot), severity=severity)


def _message(snapshot: Feature) -> str:
    name = f" {snapshot.value!r}" if snapshot.value else ""
    return f"the disk {snapshot.value} is the delta of a snapshot" if snapshot.kind == "delta" else f"the machine has a snapshot{name}"


def _effect(snapshot: Feature) -> str:
    if snapshot.kind == "delta":
        return "the disk needs its whole chain of files; the base alone is an older state of the guest"
    return "it stays behind; remove or consolidate it before the move"
