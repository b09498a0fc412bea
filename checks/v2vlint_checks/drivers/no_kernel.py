"""Rule no-kernel."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, KernelVerdict, Rule, Severity, Stage, Unknown, sample_boot


class NoKernel(Rule):
    """No kernel is installed.

    ## What it does
    Looks for kernel images in /boot, in the module folders and on the EFI system partition.

    ## Why it matters
    The guest cannot boot on its own: its kernel came from the host (a Xen PV guest, a container turned into a disk, direct kernel
    boot). Install a kernel package and a boot loader before the move.

    ## References
    - virt-v2v gives up with "no installed kernel packages were found": `convert/convert_linux.ml`.
    """

    severity = Severity.ERROR
    stage = Stage.KERNEL
    since = "0.1"
    predicts = (r"no installed kernel packages were found", r"no kernels were found in the bootloader configuration")
    examples = (
        Example({"/etc/hostname": "web1\n"}, flags=("/boot",), severity=Severity.ERROR),
        Example({"/lib/modules/5.10.0/modules.dep": ""}, flags=("/boot",), title="modules alone do not boot"),
        Example({"/etc/fstab": "UUID=1-2 /boot ext4 defaults 0 2\n"}, unknown=True, title="/boot could not be opened"),
        Example(sample_boot()),
    )

    def check(self, kernel: KernelVerdict) -> Iterator[Finding | Unknown]:
        for cause in kernel.none_installed:
            if cause.severity is None:
                yield self.unknown(cause.where, cause.reason)
            else:
                effect = "nothing can boot: the guest's kernel came from its host"
                yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
