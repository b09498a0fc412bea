"""Rule initramfs-without-root-filesystem."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    InitramfsVerdict,
    RootStack,
    Rule,
    Severity,
    Stage,
    sample_boot,
    sample_initramfs,
    sample_kernel,
)

_DRIVERS = ("virtio_blk: virtio virtio_ring", "virtio_pci: virtio virtio_ring", "virtio_ring: virtio", "virtio")
_ROOT = RootStack("ext4", None, (BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", parents=("disk1p1",)),))


class InitramfsWithoutRootFilesystem(Rule):
    """The initramfs cannot open the layers between the disk and the root filesystem.

    ## What it does
    Looks in the default entry's initramfs for the module of the root filesystem's type, for those of LVM, LUKS and MD if the root is
    on them, and for the programs that set these up (`lvm`, `cryptsetup`, `mdadm`).

    ## Why it matters
    The disk appears, but there is no root: boot stops in the initramfs. Such an image is often older than the last change of the disk
    layout, and the first boot after the move is the first to use it.

    ## References
    - dracut.modules(7), initramfs-tools(7), mkinitcpio(8)
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"mount: mounting \S+ on /(root|sysroot) failed", r"Failed to mount (\S+ - )?/sysroot")
    examples = (
        Example(
            sample_boot(image=sample_initramfs((*_DRIVERS, "xfs"))),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.ERROR,
            title="ext4 is neither built in nor in the image",
        ),
        Example(
            sample_boot(sample_kernel((*_DRIVERS, "ext4", "dm_mod")), sample_initramfs((*_DRIVERS, "ext4", "dm_mod"))),
            given=(_ROOT,),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            title="the root is a logical volume, and there is no lvm",
        ),
        Example(
            sample_boot(
                sample_kernel((*_DRIVERS, "ext4", "dm_mod")), sample_initramfs((*_DRIVERS, "ext4", "dm_mod"), {"usr/sbin/lvm": b"\x7fELF"})
            ),
            given=(_ROOT,),
        ),
        Example(sample_boot()),
        Example(sample_boot(sample_kernel(_DRIVERS, ("ext4",)), sample_initramfs(_DRIVERS)), given=(BlockTable(),), title="built in"),
    )

    def check(self, initramfs: InitramfsVerdict) -> Iterator[Finding]:
        for cause in initramfs.root_filesystem:
            lacking = cause.about
            rebuilt = cause.severity is Severity.INFO
            effect = "virt-v2v rebuilds it" if rebuilt else "the root filesystem is not mounted, and boot stops in the initramfs"
            related = (lacking.path.choice.where,)
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, related=related)
