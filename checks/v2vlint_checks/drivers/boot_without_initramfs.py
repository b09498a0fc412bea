"""Rule boot-without-initramfs."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, InitramfsVerdict, Rule, Severity, Stage, Unknown, sample_boot, sample_kernel, tries_again

_PARTUUID = "root=PARTUUID=5a3a4a0b-01 ro"


class BootWithoutInitramfs(Rule):
    """The default boot entry has no initramfs, but needs drivers that are not built into the kernel.

    ## What it does
    Checks default entries without an initramfs, or with one that the kernel does not start: it has no `/init` (microcode alone), or the
    kernel reads none. Every driver for the target's disk controller and the root filesystem must then be built in, and the root must not be
    on LVM, LUKS or a RAID array that the kernel does not assemble (metadata 1.x).

    ## Why it matters
    Ubuntu's cloud images boot this way on the hypervisor they are made for. On another disk controller the driver is a module on the very
    disk it should drive: `VFS: Unable to mount root fs on unknown-block(0,0)`. After such a panic Ubuntu's own entries retry with the
    initramfs (`panic=-1`), which costs one failed boot.

    ## References
    - oxidecomputer/propolis issue 590, cloud-hypervisor issue 2003: Ubuntu's `40-force-partuuid.cfg`.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"Unable to mount root fs on unknown-block\(0,0\)",)
    examples = (
        Example(sample_boot(image=b"", args=_PARTUUID), flags=("/boot/grub/grub.cfg:2",), severity=Severity.ERROR),
        Example(
            sample_boot(image=b"", args=f"{_PARTUUID} panic=-1"),
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.WARNING,
            title="Ubuntu restarts with the initramfs",
        ),
        Example(sample_boot(sample_kernel((), ("virtio_blk", "virtio_pci", "ext4")), b"", _PARTUUID)),
        Example(
            {**sample_boot(args=_PARTUUID), "/boot/config-6.1.0-13-amd64": "# CONFIG_BLK_DEV_INITRD is not set\n"},
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.ERROR,
            title="a kernel that reads none",
        ),
        Example(sample_boot()),
        Example(
            {p: d for p, d in sample_boot(image=b"").items() if p != "/boot/grub/grub.cfg"}, unknown=True, title="no boot loader is found"
        ),
    )

    def check(self, initramfs: InitramfsVerdict) -> Iterator[Finding | Unknown]:
        for cause in initramfs.none_loaded:
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
                continue
            lacking = cause.about
            choice, again = lacking.path.choice, tries_again(lacking.path)
            needed, alone = ", ".join(lacking.names), lacking.path.alone
            message = f"the boot entry {choice.title!r} has no initramfs, which is needed for {needed}"
            if choice.initrds:
                message = f"the initramfs of the boot entry {choice.title!r} is not started: {alone}; one is needed for {needed}"
            panics = "the kernel finds no root and panics"
            effect = "the first boot panics; the loader then retries with the initramfs" if again else panics
            yield self.finding(cause.where, message, effect, severity=cause.severity)
