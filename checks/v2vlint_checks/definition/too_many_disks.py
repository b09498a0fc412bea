"""Rule too-many-disks."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Definition, Example, Finding, NotApplicable, Rule, Severity, Target, sample_vmx


def _many(count: int) -> Definition:
    return sample_vmx("".join(f'scsi{n // 15}:{n % 15}.fileName = "{n}.vmdk"\n' for n in range(count)))


class TooManyDisks(Rule):
    """The machine has more disks than the target can attach.

    ## What it does
    Counts the disks of the definition against the limit in the target's profile (`limits.disks`).

    ## Why it matters
    virt-v2v refuses to write to oVirt; elsewhere the machine does not start until disks are removed.

    ## References
    - virt-v2v `output_rhv.ml`; Forklift `vmware.disk.count.exceeds.limit`
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(_many(24),), target="ovirt", flags=("guest.vmx:24",)),
        Example({}, given=(_many(23),), target="ovirt"),
        Example({}, given=(_many(24),), target="kubevirt"),
    )

    def check(self, definition: Definition, target: Target, conversion: Conversion) -> Iterator[Finding]:
        definition.require()
        if not (most := target.limits.disks):
            raise NotApplicable(f"no disk limit of {target.name} is known")
        if len(definition.disks) > most:
            refused = conversion.by_virt_v2v and target.platform == "ovirt"
            effect = "virt-v2v refuses the machine" if refused else "not all of them can be attached"
            message = f"{len(definition.disks)} disks, and {target.title} attaches at most {most}"
            yield self.finding(definition.disks[most].where, message, effect)
