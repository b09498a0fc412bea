"""Rule boot-entry-without-kernel."""

from collections.abc import Iterator

from v2vlint.api import BootChoice, BootChoices, Example, Finding, KernelVerdict, Rule, Severity, Stage, Unknown, sample_boot

_KERNEL = "/boot/vmlinuz-6.1.0-13-amd64"
_OLD = "menuentry 'Old' {\n\tlinux /boot/vmlinuz-5.10.0-1-amd64 root=UUID=1 ro\n}\n"


def _with_old_entry() -> dict[str, str | bytes]:
    files = sample_boot()
    files["/boot/grub/grub.cfg"] = f"{files['/boot/grub/grub.cfg']!s}{_OLD}"
    return files


def _device_tree() -> dict[str, str | bytes]:
    files = {path: data for path, data in sample_boot().items() if "grub" not in path}
    entry = "linux /vmlinuz-6.1.0-13-amd64\ninitrd /initrd.img-6.1.0-13-amd64\noptions root=UUID=1\ndevicetree /board.dtb\n"
    return {**files, "/boot/EFI/BOOT/BOOTX64.EFI": b"MZ LoaderInfo: systemd-boot 255", "/boot/loader/entries/a.conf": entry}


class BootEntryWithoutKernel(Rule):
    """A boot entry names a kernel that does not exist.

    ## What it does
    Follows every entry of the active boot menu to its kernel. A missing kernel is an error for the default entry and a warning for any
    other. So is, with systemd-boot, the missing file of the default entry's `devicetree`.

    ## Why it matters
    The loader stops with `file not found` and waits at the console. Regenerate the configuration before the move.

    ## References
    - virt-v2v warns about such entries and skips them: libguestfs-common `mldrivers/linux_kernels.ml`.
    """

    severity = Severity.ERROR
    stage = Stage.KERNEL
    since = "0.1"
    predicts = (r"file .*vmlinuz.* not found", r"you need to load the kernel first")
    examples = (
        Example({p: d for p, d in sample_boot().items() if p != _KERNEL}, flags=("/boot/grub/grub.cfg:2",), severity=Severity.ERROR),
        Example(_with_old_entry(), flags=("/boot/grub/grub.cfg:6",), severity=Severity.WARNING, title="not the default entry"),
        Example(sample_boot()),
        Example(
            {**{p: d for p, d in sample_boot().items() if p != _KERNEL}, "/etc/fstab": "UUID=1-2 /boot ext4 defaults 0 2\n"},
            unknown=True,
            title="/boot could not be opened",
        ),
        Example(_device_tree(), flags=("/boot/loader/entries/a.conf:3",), severity=Severity.ERROR, title="no device tree"),
        Example({**_device_tree(), "/boot/board.dtb": b"d"}),
    )

    def check(self, kernel: KernelVerdict, choices: BootChoices) -> Iterator[Finding | Unknown]:
        for cause in kernel.missing:
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
            elif (choice := cause.about) is not None:
                effect = "the loader stops and waits at the console"
                yield self._missing(choice, "the default boot entry", effect, cause.severity)
        for cause in kernel.devicetree:
            if cause.severity is not None:
                message = f"the default boot entry names a device tree, and {cause.reason}"
                yield self.finding(cause.where, message, "systemd-boot starts nothing", severity=cause.severity)
        for choice in choices.others:
            if choice.kernel is None and not choice.unreadable:
                yield self._missing(choice, "the boot entry", "this entry does not start", Severity.WARNING)

    def _missing(self, choice: BootChoice, what: str, effect: str, severity: Severity) -> Finding:
        message = f"{what} {choice.title!r} names the kernel {choice.kernel_path}, which does not exist"
        return self.finding(choice.where, message, effect, severity=severity)
