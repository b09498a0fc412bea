"""Rule disk-size-not-accepted."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, NotApplicable, Rule, Severity, Target

_MIB, _GIB = 1 << 20, 1 << 30


def _given(size: int, kind: str = "raw") -> tuple[BlockTable]:
    return (BlockTable((BlockDevice("disk1", "disk", size, 0, details=(("format", kind),)),)),)


class DiskSizeNotAccepted(Rule):
    """A disk is larger than the target accepts, or its size is not a multiple of the target's unit.

    ## What it does
    Compares the size of each disk with `limits.disk_gib` and `images.align_mib` of the target's profile; the latter for images in
    `images.align_formats`, if it has any.

    ## Why it matters
    The upload is refused. Disks of physical machines rarely have a size in whole mebibytes, which Azure requires, and images rarely one
    in whole gibibytes, which Compute Engine requires of a disk.raw.

    ## References
    - Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure"
    - Google, "Import boot disk images to Compute Engine", "Create and compress the boot disk file"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=_given(500107862016), target="azure", flags=("disk1",), title="a physical disk of 500 GB"),
        Example({}, given=_given(40 * _GIB), target="azure"),
        Example({}, given=_given(33000 * _GIB), target="azure", flags=("disk1",)),
        Example({}, given=_given(700 * _MIB, "tar.gz"), target="gce", flags=("disk1",), title="no whole gibibytes"),
        Example({}, given=_given(700 * _MIB, "vmdk"), target="gce", title="the importer converts it"),
        Example({}, given=_given(500107862016), title="KVM takes every size"),
    )

    def check(self, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        most, unit = target.limits.disk_gib, target.images.align_mib * _MIB
        if not (most or unit):
            raise NotApplicable(f"{target.name} accepts disks of any size")
        for disk in blocks.disks:
            where = Device(disk.name)
            if most and disk.size > most * _GIB:
                message = f"{disk.name} has {disk.size // _GIB} GiB, and {target.title} accepts at most {most}"
                yield self.finding(where, message, "the disk is refused or truncated")
            aligned = target.images.align_formats
            if unit and disk.size % unit and (not aligned or disk.detail("format").removesuffix(".gz") in aligned):
                message = f"{disk.name} has {disk.size} bytes, not a multiple of {target.images.align_mib} MiB"
                grown = -(-disk.size // unit) * unit // _MIB
                yield self.finding(where, message, f"{target.name} refuses it: grow the image to {grown} MiB first (qemu-img resize)")
