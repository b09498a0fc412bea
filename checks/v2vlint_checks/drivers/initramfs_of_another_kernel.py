"""Rule initramfs-of-another-kernel."""

from collections.abc import Iterator

from v2vlint.api import Example, Fate, Finding, InitramfsVerdict, Rule, Severity, Stage, sample_boot, sample_initramfs, sample_kernel


class InitramfsOfAnotherKernel(Rule):
    """The default boot entry's initramfs holds the modules of another kernel.

    ## What it does
    Compares the version stated by the default kernel's file with the module folders in the initramfs that the entry loads.

    ## Why it matters
    A kernel does not load modules built for another version. If the disk driver is a module, the root is never found.

    ## References
    - modprobe(8): modules are looked for under `/lib/modules/$(uname -r)`.
    """

    severity = Severity.ERROR
    stage = Stage.INITRAMFS
    since = "0.1"
    examples = (
        Example(
            sample_boot(image=sample_initramfs(version="5.10.0-1-amd64")),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.ERROR,
        ),
        Example(
            sample_boot(sample_kernel((), ("virtio_blk", "virtio_pci", "ext4")), sample_initramfs(version="5.10.0-1-amd64")),
            flags=("/boot/initrd.img-6.1.0-13-amd64",),
            severity=Severity.WARNING,
            title="all that is needed is built in",
        ),
        Example(sample_boot()),
        Example(sample_boot(image=sample_initramfs(())), title="no modules inside"),
    )

    def check(self, initramfs: InitramfsVerdict) -> Iterator[Finding]:
        for cause in initramfs.other_kernel:
            path = cause.about
            effect = "no driver is loaded, and the root disk is never found"
            if cause.severity is Severity.INFO:
                effect = f"virt-v2v rebuilds it; after a raw copy {effect}"
            elif cause.fate is Fate.PASS:
                effect = "its modules are not loaded"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, related=(path.choice.where,))
