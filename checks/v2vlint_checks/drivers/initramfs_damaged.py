"""Rule initramfs-damaged."""

from collections.abc import Iterator

from v2vlint.api import (
    Example,
    Finding,
    ImageFault,
    InitramfsVerdict,
    KernelVerdict,
    Rule,
    Severity,
    Stage,
    Unknown,
    sample_boot,
    sample_initramfs,
)

_IMAGE = "/boot/initrd.img-6.1.0-13-amd64"


class InitramfsDamaged(Rule):
    """The initramfs of the default boot entry is missing, empty, truncated or damaged.

    ## What it does
    Follows the default entry to its initramfs and reads it to the end, as the kernel will. Images of other entries are not judged.

    ## Why it matters
    A full /boot leaves such files behind after a kernel update. The machine has not been restarted since, so the move is the first boot
    that needs the image: `VFS: Unable to mount root fs on unknown-block(0,0)`. Rebuild it before the move: `update-initramfs -u -k all`,
    `dracut -f`, `mkinitcpio -P`.

    ## References
    - init/initramfs.c of the kernel; Microsoft's "kernel-related boot issues" has a section on it.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    predicts = (r"Unable to mount root fs on unknown-block", r"Initramfs unpacking failed", r"file .*init(rd|ramfs).* not found")
    examples = (
        Example({p: d for p, d in sample_boot().items() if p != _IMAGE}, flags=("/boot/grub/grub.cfg:3",), severity=Severity.ERROR),
        Example({**sample_boot(), _IMAGE: b""}, flags=(_IMAGE,), severity=Severity.ERROR, title="empty"),
        Example({**sample_boot(), _IMAGE: sample_initramfs()[:-600]}, flags=(_IMAGE,), title="cut short"),
        Example({**sample_boot(), _IMAGE: bytes(4096)}, flags=(_IMAGE,), title="zeroed by a crash"),
        Example(
            {**sample_boot(), _IMAGE: sample_initramfs() + b"junk"}, flags=(_IMAGE,), severity=Severity.WARNING, title="junk behind it"
        ),
        Example(sample_boot()),
        Example(sample_boot(image=b""), title="an entry without initramfs is another matter"),
        Example(
            {**{p: d for p, d in sample_boot().items() if p != _IMAGE}, "/etc/fstab": "UUID=1-2 /boot/ ext4 defaults 0 2\n"},
            unknown=True,
            title="/boot could not be opened",
        ),
    )

    def check(self, kernel: KernelVerdict, initramfs: InitramfsVerdict) -> Iterator[Finding | Unknown]:
        for cause in (*kernel.initramfs, *initramfs.image):
            image = cause.about
            if image is None:
                yield self.unknown(cause.where, cause.reason)
            elif image.kind == "missing":
                message = f"the boot entry {image.choice.title!r} names the initramfs {image.path}, which does not exist"
                stage = Stage.INITRAMFS if image.ignored else Stage.KERNEL
                yield self.finding(cause.where, message, _effect(image, cause.severity), severity=cause.severity, stage=stage)
            else:
                message, entry = f"the initramfs {cause.reason}", () if image.kind != "damaged" else (image.choice.where,)
                yield self.finding(cause.where, message, _effect(image, cause.severity), severity=cause.severity, related=entry)


def _effect(image: ImageFault, severity: Severity | None) -> str:
    if image.kind == "followed by junk":
        return "the kernel complains and ignores what follows"
    if not image.ignored:
        return "the loader refuses the entry"
    if image.kind == "missing" and severity is Severity.WARNING:
        return "GRUB waits ten seconds at the error, then starts the kernel without an initramfs"
    stops = "the kernel starts without a root filesystem and panics"
    return f"virt-v2v rebuilds it; after a raw copy {stops}" if severity is Severity.INFO else stops
