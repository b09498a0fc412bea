"""Rule image-not-self-contained."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Mover, Rule, Severity


def _disk(**details: str) -> BlockTable:
    return BlockTable((BlockDevice("disk1", "disk", 1 << 30, 0, details=(("format", "qcow2"), *details.items())),))


class ImageNotSelfContained(Rule):
    """A disk image needs another file: a backing file, a parent or an external data file.

    ## What it does
    Reads what the image says of other files: the backing file and the external data file of a qcow2, the parent of a VMDK and the files
    with its extents. Files that are
    outside the folder of the image are not opened: `--allow-folder` allows them.

    ## Why it matters
    The image alone is not the disk: copied without the other file, it does not open, or opens on something else. Clouds refuse such
    an image when it is uploaded, because it could name a file of their hosts. virt-v2v reads the whole chain and writes one image.

    ## References
    - OSSA-2024-001 (CVE-2024-32498): OpenStack Cinder, Glance and Nova refuse images with backing or data files
    - oslo.utils `imageutils/format_inspector.py`, safety checks `backing_file` and `data_file`
    - KubeVirt containerized-data-importer: "is invalid because it has invalid backing file"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(_disk(backing="base.qcow2"),), flags=("disk1",), severity=Severity.WARNING),
        Example({}, given=(_disk(data_file="disk.data"),), flags=("disk1",), severity=Severity.WARNING),
        Example({}, given=(_disk(backing="base.qcow2"),), mover=Mover.VIRT_V2V, flags=("disk1",), severity=Severity.INFO),
        Example({}, given=(_disk(),), title="an image that is whole"),
    )

    def check(self, blocks: BlockTable, mover: Mover) -> Iterator[Finding]:
        converted = mover is Mover.VIRT_V2V
        severity = Severity.INFO if converted else Severity.WARNING
        words = "virt-v2v writes one image of the whole chain"
        effect = words if converted else "a cloud refuses it, and alone it is not the disk: qemu-img convert makes one image"
        for disk in blocks.disks:
            for kind, what in (("backing", "is a change of"), ("data_file", "keeps its data in")):
                if name := disk.detail(kind):
                    message = f"the image of {disk.name} {what} {name}"
                    yield self.finding(Device(disk.name), message, effect, severity=severity)
