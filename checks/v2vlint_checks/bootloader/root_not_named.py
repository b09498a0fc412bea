"""Rule root-not-named."""

from collections.abc import Iterator

from v2vlint.api import BlockDevice, BlockTable, Example, Finding, RootVerdict, Rule, Severity, Stage, sample_boot, sample_initramfs

_CFG = "/boot/grub/grub.cfg"
_IMAGE = sample_initramfs(files={"buildconfig": "HOOKS=(base)\n", "usr/lib/systemd/system-generators/systemd-gpt-auto-generator": ""})
_LINUX, _ROOT = "0fc63daf-8483-4772-8e79-3d69d8477de4", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"


def _disk(kind: str) -> BlockTable:
    esp = BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    root = BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ext4", "0f3c-77", part_type=kind)
    return BlockTable((BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)), esp, root))


class RootNotNamed(Rule):
    """No setting names the root filesystem, and no partition has the type that systemd would find.

    ## What it does
    Checks default entries without `root=` whose initramfs relies on systemd, on a command line that does not name a root either, or is one
    of initramfs-tools, which stops at once.

    ## Why it matters
    systemd-gpt-auto-generator picks the partition whose type marks it as a root for this architecture (`root-x86-64`), on the disk with
    the EFI system partition. It ignores a partition of type `linux-generic`: the initramfs waits for a root and ends in its shell. Correct
    the type (`sfdisk --part-type`), or add `root=`.

    ## References
    - initramfs-tools, `scripts/local`: "No root device specified. Boot arguments must include a root= parameter."
    - systemd-gpt-auto-generator(8); UAPI.2 Discoverable Partitions Specification
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    predicts = (r"gpt-auto-root.*(?:timed out|timeout)", r"Failed to mount .* on real root", r"No root device specified")
    examples = (
        Example(sample_boot(image=_IMAGE, args="rw quiet"), given=(_disk(_LINUX),), flags=(f"{_CFG}:2",), severity=Severity.ERROR),
        Example(sample_boot(image=_IMAGE, args="rw quiet"), given=(_disk(_ROOT),)),
        Example(sample_boot(image=_IMAGE, args="root=UUID=0f3c-77 rw"), given=(_disk(_LINUX),)),
        Example(
            sample_boot(args="rw quiet"), given=(_disk(_ROOT),), flags=(f"{_CFG}:2",), severity=Severity.ERROR, title="initramfs-tools"
        ),
        Example(
            sample_boot(image=sample_initramfs(files={"conf/param.conf": "ROOT=UUID=0f3c-77\n"}), args="rw quiet"),
            given=(_disk(_LINUX),),
            title="written into the initramfs",
        ),
        Example(sample_boot(args="boot=live"), given=(_disk(_LINUX),), title="a script of the initramfs finds it"),
    )

    def check(self, root: RootVerdict) -> Iterator[Finding]:
        for cause in root.unnamed:
            effect = "the initramfs waits for a root filesystem and ends in its shell"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
