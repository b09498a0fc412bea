"""Rule initramfs-damaged."""

from collections.abc import Iterator

from v2vlint.api import (
    BootChoice,
    BootChoices,
    Example,
    Finding,
    GuestFS,
    InitramfsConfig,
    Initramfses,
    Mover,
    OsInfo,
    Rule,
    Severity,
    Stage,
    Target,
    Unknown,
    WholeFile,
    sample_boot,
    sample_initramfs,
    virt_v2v_rebuilds,
)

_IMAGE = "/boot/initrd.img-6.1.0-13-amd64"


class InitramfsDamaged(Rule):
    """The initramfs of the default boot entry is missing, empty, cut short or damaged.

    ## What it does
    Follows the default entry to its initramfs and reads it to the end, as the kernel will. Images of other entries are not judged.

    ## Why it matters
    A full /boot leaves such files behind at a kernel update. The machine has not been restarted since, so the move is the first boot that
    needs the image: `VFS: Unable to mount root fs on unknown-block(0,0)`. Make it anew before the move: `update-initramfs -u -k all`,
    `dracut -f`, `mkinitcpio -P`.

    ## References
    - init/initramfs.c of the kernel; Microsoft's "kernel-related boot issues" has a section on it.
    """

    severity = Severity.ERROR
    stage = Stage.KERNEL
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

    def check(
        self, fs: GuestFS, choices: BootChoices, images: Initramfses, config: InitramfsConfig, target: Target, mover: Mover, os: OsInfo
    ) -> Iterator[Finding | Unknown]:
        rebuilt = virt_v2v_rebuilds(mover, target, os, config)
        worst = Severity.WARNING if rebuilt or choices.assumed else Severity.ERROR
        for choice in choices.defaults:
            for number, path in enumerate(choice.initrds):
                yield from self._image(choice, number, path, images, worst)

    def _image(self, choice: BootChoice, number: int, path: str, images: Initramfses, worst: Severity) -> Iterator[Finding | Unknown]:
        image = images.of(path)
        stops = "the kernel starts without a root filesystem and panics"
        if image is None and choice.unreadable:
            yield self.unknown(choice.where, choice.unreadable)
        elif image is None:
            tokens = choice.entry.initrd_at if choice.entry else ()
            where = tokens[number].where if number < len(tokens) else choice.where
            yield self.finding(
                where, f"the boot entry {choice.title!r} names the initramfs {path}, which does not exist", stops, severity=worst
            )
        elif image.damage:
            message = f"the initramfs {path} {image.damage}"
            yield self.finding(WholeFile(path), message, stops, severity=worst, related=(choice.where,))
        elif image.remark:
            message = f"the initramfs {path} {image.remark}"
            yield self.finding(WholeFile(path), message, "the kernel complains and goes on without what follows", severity=Severity.WARNING)
