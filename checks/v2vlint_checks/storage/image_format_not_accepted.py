"""Rule image-format-not-accepted."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Conversion, Device, Example, Finding, Mover, NotApplicable, Rule, Severity, Target


def _given(kind: str) -> tuple[BlockTable]:
    return (BlockTable((BlockDevice("disk1", "disk", 40 << 30, 0, details=(("format", kind),)),)),)


class ImageFormatNotAccepted(Rule):
    """A disk image is in a format that the target's importer does not accept.

    ## What it does
    Compares the format of each image with `images.formats` of the target's profile. Subformats (`vhd-fixed`) are not distinguished.

    ## Why it matters
    The upload is refused until the image is converted. `qemu-img convert` does that losslessly.

    ## References
    - Azure accepts fixed VHD only; EC2's VM Import/Export raw, stream-optimised VMDK, VHD and VHDX
    """

    severity = Severity.INFO
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=_given("qcow2"), target="azure", flags=("disk1",)),
        Example({}, given=_given("vhd"), target="azure"),
        Example({}, given=_given("qcow2"), title="no importer is known to refuse anything"),
        Example({}, given=_given("vmdk"), target="ovirt", mover=Mover.VIRT_V2V, title="virt-v2v writes what it takes"),
        Example({}, given=_given("vmdk.gz"), target="ec2-nitro", title="packed with gzip"),
    )

    def check(self, blocks: BlockTable, target: Target, conversion: Conversion) -> Iterator[Finding]:
        accepted = target.images.formats
        if not accepted or conversion.fits:
            raise NotApplicable(f"the images are in a format that {target.name} accepts" if accepted else f"{target.name} has no importer")
        for disk in blocks.disks:
            kind = disk.detail("format").removesuffix(".gz")
            if kind and kind not in {name.partition("-")[0] for name in accepted}:
                message = f"the image of {disk.name} is {kind}, and {target.title} accepts {' or '.join(accepted)}"
                yield self.finding(Device(disk.name), message, "convert it first (qemu-img convert)")
