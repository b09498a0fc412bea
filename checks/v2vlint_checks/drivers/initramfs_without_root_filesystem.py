"""Rule initramfs-without-root-filesystem."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    BootPath,
    BootPaths,
    Example,
    Finding,
    Initramfs,
    InitramfsConfig,
    Means,
    Mover,
    OsInfo,
    RootStack,
    Rule,
    Severity,
    Stage,
    Target,
    sample_boot,
    sample_initramfs,
    sample_kernel,
    virt_v2v_rebuilds,
)

_PROGRAMS = {
    "lv": ("LVM", ("lvm", "vgchange", "lvchange")),
    "luks": ("LUKS", ("cryptsetup", "systemd-cryptsetup", "crypto-askpass")),
    "md": ("MD RAID", ("mdadm", "mdassemble")),
}
_KNOWN = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})
_DRIVERS = ("virtio_blk: virtio virtio_ring", "virtio_pci: virtio virtio_ring", "virtio_ring: virtio", "virtio")
_ROOT = RootStack("ext4", None, (BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", parents=("disk1p1",)),))


class InitramfsWithoutRootFilesystem(Rule):
    """The initramfs cannot open what is between the disk and the root filesystem.

    ## What it does
    Looks in the default entry's initramfs for the module of the root filesystem's type, for those of LVM, LUKS and MD where the root lies
    on them, and for the programs that set these up (`lvm`, `cryptsetup`, `mdadm`).

    ## Why it matters
    The disk appears, and still there is no root: boot stops in the initramfs. Such an image is often older than the change of the disk
    layout, and the first boot after the move is the first one that uses it.

    ## References
    - dracut.modules(7), initramfs-tools(7), mkinitcpio(8)
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
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

    def check(
        self, paths: BootPaths, stack: RootStack, config: InitramfsConfig, target: Target, mover: Mover, os: OsInfo
    ) -> Iterator[Finding]:
        rebuilt = virt_v2v_rebuilds(mover, target, os, config)
        for path in paths.defaults:
            lacking = (*_modules(path, stack), *_programs(path.image, stack)) if _judged(path) else ()
            if not lacking or path.image is None:
                continue
            message = f"the initramfs of kernel {path.kernel.version} lacks {', '.join(lacking)}"
            effect = "virt-v2v rebuilds it" if rebuilt else "the root filesystem is not mounted, and boot stops in the initramfs"
            severity = Severity.INFO if rebuilt else Severity.WARNING if paths.choices.assumed else Severity.ERROR
            yield self.finding(path.image.where, message, effect, severity=severity, related=(path.choice.where,))


def _judged(path: BootPath) -> bool:
    """An image for another kernel is another rule's matter, and so is a damaged one."""
    image = path.image
    return image is not None and not image.damage and (not image.versions or path.kernel.version in image.versions)


def _modules(path: BootPath, stack: RootStack) -> Iterator[str]:
    fates = (*path.root_filesystem(stack).failing(Means.DISK), *path.layers(stack).failing(Means.DISK))
    for fate in fates:
        yield f"{fate.module} (the type of the root filesystem)" if (fate.module,) in stack.fs_modules else fate.module


def _programs(image: Initramfs | None, stack: RootStack) -> Iterator[str]:
    if image is None or image.generator not in _KNOWN:
        return
    for kind, (what, names) in _PROGRAMS.items():
        if stack.of_kind(kind) and not image.has_program(*names):
            yield f"the program {names[0]} ({what})"
