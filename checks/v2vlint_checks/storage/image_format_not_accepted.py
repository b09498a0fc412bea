"""Rule image-format-not-accepted."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Conversion, Device, Example, Finding, Mover, NotApplicable, Rule, Severity, Target

_WAYS = {
    "tar": "pack it first: name it disk.raw, and tar --format=oldgnu -Sczf disk.tar.gz disk.raw",
    "vhd-fixed": "convert it first: qemu-img convert -O vpc -o subformat=fixed,force_size",
}


def _given(kind: str, variant: str = "") -> tuple[BlockTable]:
    details = (("format", kind), ("variant", variant))
    return (BlockTable((BlockDevice("disk1", "disk", 40 << 30, 0, details=details),)),)


class ImageFormatNotAccepted(Rule):
    """A disk image is in a format that the target's importer does not accept.

    ## What it does
    Compares the format of each image with `images.formats` of the target's profile. A fixed VHD is distinguished from a dynamic one, a
    stream-optimised VMDK from others.

    ## Why it matters
    The upload is refused until the image is converted. `qemu-img convert` does that losslessly.

    ## References
    - Azure, "Prepare Linux for imaging in Azure": fixed VHD only
    - EC2, VM Import/Export, "Image formats": raw, stream-optimised VMDK, VHD and VHDX
    - Compute Engine, "Import boot disk images to Compute Engine": disk.raw in a tar.gz; the importer of appliances converts others
    """

    severity = Severity.INFO
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=_given("qcow2"), target="azure", flags=("disk1",)),
        Example({}, given=_given("vhd", "fixed"), target="azure"),
        Example({}, given=_given("vhd", "dynamic"), target="azure", flags=("disk1",), title="the right format of another kind"),
        Example({}, given=_given("vmdk", "plain"), target="ec2-nitro", flags=("disk1",), title="not stream-optimised"),
        Example({}, given=_given("vmdk", "stream"), target="ec2-nitro"),
        Example({}, given=_given("raw"), target="gce", flags=("disk1",), title="in no archive"),
        Example({}, given=_given("tar.gz"), target="gce"),
        Example({}, given=_given("qcow2"), title="no importer is known to refuse anything"),
        Example({}, given=_given("vmdk"), target="ovirt", mover=Mover.VIRT_V2V, title="virt-v2v writes what it takes"),
        Example({}, given=_given("vmdk.gz"), target="ec2-nitro", title="packed with gzip"),
    )

    def check(self, blocks: BlockTable, target: Target, conversion: Conversion) -> Iterator[Finding]:
        accepted = target.images.formats
        if not accepted or conversion.fits:
            raise NotApplicable(f"the images are in a format that {target.name} accepts" if accepted else f"{target.name} has no importer")
        for disk in blocks.disks:
            kind, variant = disk.detail("format").removesuffix(".gz"), disk.detail("variant")
            if kind and not {kind, f"{kind}-{variant}" if variant else f"{kind}-{_only(kind, accepted)}"} & {*accepted}:
                message = f"the image of {disk.name} is {_named(kind, variant)}, and {target.title} accepts {_or(accepted)}"
                yield self.finding(Device(disk.name), message, _WAYS.get(accepted[0], "convert it first (qemu-img convert)"))


def _or(words: tuple[str, ...]) -> str:
    """``raw, vhd or vhdx``."""
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _only(kind: str, accepted: tuple[str, ...]) -> str:
    """The variant of a format that is accepted."""
    return next((name.partition("-")[2] for name in accepted if name.partition("-")[0] == kind), "")


def _named(kind: str, variant: str) -> str:
    return {"stream": f"a stream-optimised {kind}", "plain": kind, "": kind}.get(variant, f"a {variant} {kind}")
