"""Rule luks-without-keyboard."""

from collections.abc import Iterator

from v2vlint.api import (
    AppendInitramfs,
    Applicability,
    BlockDevice,
    Example,
    Finding,
    Fix,
    InitramfsConfig,
    RootStack,
    Rule,
    Severity,
    UnlockVerdict,
    sample_boot,
    sample_initramfs,
    sample_kernel,
)

_LUKS = RootStack("ext4", None, (BlockDevice("luks-1", "luks", 1 << 30, 0, fs_type="ext4", parents=("disk1p1",)),))
_KERNEL = sample_kernel(("hv_storvsc", "hyperv_keyboard: hv_vmbus", "hv_vmbus", "sd_mod", "ext4"))
_APPENDED = frozenset({"initramfs-tools", "dracut", "mkinitcpio"})


class LuksWithoutKeyboard(Rule):
    """The root is encrypted, and the initramfs has no driver for Hyper-V's keyboard.

    ## What it does
    If the only keyboard needs a special driver (`keyboards` of the target's profile), looks for that driver (`hyperv_keyboard`) in the
    initramfs of a guest whose root is on LUKS.

    ## Why it matters
    A generation 2 machine has no other keyboard: the passphrase prompt appears and cannot be answered.

    ## Fix safety
    Safe: the module is appended to the image and loaded from there.

    ## References
    - microsoft/lis-test pull request 322 lists the modules an initramfs needs on Hyper-V.
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Please (unlock disk|enter passphrase for disk)",)
    examples = (
        Example(
            {
                **sample_boot(_KERNEL, sample_initramfs(("hv_storvsc", "sd_mod", "ext4"))),
                "/etc/initramfs-tools/modules": "",
                "/usr/sbin/mkinitramfs": "",
            },
            given=(_LUKS,),
            target="hyperv-gen2",
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.WARNING,
            fixed={"/etc/initramfs-tools/modules": "hyperv_keyboard\n"},
        ),
        Example(sample_boot(_KERNEL, sample_initramfs(("hv_storvsc", "ext4"))), target="hyperv-gen2", title="not encrypted"),
        Example(sample_boot(), given=(_LUKS,), title="KVM has a PS/2 keyboard"),
        Example(
            sample_boot(_KERNEL, sample_initramfs(("hv_storvsc", "sd_mod", "ext4"))),
            given=(_LUKS,),
            target="hyperv-gen1",
            title="generation 1 has one, too",
        ),
    )

    def check(self, unlock: UnlockVerdict, config: InitramfsConfig) -> Iterator[Finding]:
        for cause in unlock.keyboard:
            path, lacking = cause.about.path, cause.about.names
            if path.image is None:
                continue
            generator = config.for_image(path.image.generator)
            edits = (
                AppendInitramfs(path.image.where.path, path.kernel.version, lacking),
                *(generator.keep(lacking) if generator else ()),
            )
            fix = (
                Fix(f"add {' and '.join(lacking)} to the initramfs", Applicability.SAFE, edits)
                if path.image.generator in _APPENDED
                else None
            )
            effect = "the passphrase cannot be typed on a machine without an emulated keyboard"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)
