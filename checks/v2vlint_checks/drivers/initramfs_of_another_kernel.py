"""Rule initramfs-of-another-kernel."""

from collections.abc import Iterator

from v2vlint.api import (
    BootPaths,
    Example,
    Finding,
    Rule,
    Severity,
    Stage,
    Target,
    sample_boot,
    sample_initramfs,
    sample_kernel,
)


class InitramfsOfAnotherKernel(Rule):
    """The default boot entry's initramfs holds the modules of another kernel.

    ## What it does
    Compares the version that the default kernel's file states with the module folders inside the initramfs the entry loads.

    ## Why it matters
    A kernel loads no modules of another version. With the disk driver as a module, the root is never found.

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

    def check(self, paths: BootPaths, target: Target) -> Iterator[Finding]:
        for path in paths.defaults:
            image, version = path.image, path.kernel.version
            if image is None or not version or not image.versions or version in image.versions:
                continue
            works = all(path.controller(controller).usable for controller in target.controllers)
            message = f"the initramfs of kernel {version} holds modules of {', '.join(sorted(image.versions)[:3])} only"
            effect = "its modules are not loaded" if works else "no driver is loaded, and the root disk is never found"
            severity = Severity.WARNING if works or paths.choices.assumed else Severity.ERROR
            yield self.finding(image.where, message, effect, severity=severity, related=(path.choice.where,))
