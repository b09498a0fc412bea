"""Rule image-not-self-contained."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Device, Example, Finding, Mover, Rule, Severity


def _disk(**details: str) -> BlockTable:
    return BlockTable((BlockDevice("disk1", "disk", 1 << 30, 0, details=(("format", "qcow2"), *details.items())),))


class ImageNotSelfContained(Rule):
    """A disk image needs another file: a backing file, a parent or an external data file.

    ## What it does
    Reads the references of each image: backing file and external data file of a qcow2, parent and extent files of a VMDK. Files outside
    the image's folder are not opened unless `--allow-folder` allows them.

    ## Why it matters
    The image is not the whole disk: copied without the other file, it does not open, or opens on top of something else. Clouds refuse to
    import such an image, because it could name a file of their hosts. virt-v2v reads the whole chain and writes one image.

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
        words = "virt-v2v writes the whole chain as one image"
        effect = words if converted else "clouds refuse it, and it is not the whole disk: merge it into one image with qemu-img convert"
        for disk in blocks.disks:
            for kind, what in (("backing", "is an overlay of"), ("data_file", "keeps its data in")):
                if name := disk.detail(kind):
                    message = f"the image of {disk.name} {what} {name}"
                    yield self.finding(Device(disk.name), message, effect, severity=severity)
