"""Rule kernel-image-damaged."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, KernelVerdict, Rule, Severity, Stage, sample_boot, sample_bzimage

_KERNEL = "/boot/vmlinuz-6.1.0-13-amd64"


class KernelImageDamaged(Rule):
    """The default kernel's file is empty, truncated, or not a kernel.

    ## What it does
    Compares the file's size with the size stated in its boot header, and finds empty files.

    ## Why it matters
    A full /boot or a crash during an update leaves such files behind. The loader refuses them, or the kernel dies while unpacking itself.

    ## References
    - `Documentation/arch/x86/boot.rst`: `setup_sects`, `syssize`
    """

    severity = Severity.ERROR
    stage = Stage.KERNEL
    since = "0.1"
    examples = (
        Example({**sample_boot(), _KERNEL: b""}, flags=(_KERNEL,), severity=Severity.ERROR),
        Example({**sample_boot(), _KERNEL: sample_bzimage(payload=64)[:1500]}, flags=(_KERNEL,), title="cut short"),
        Example({**sample_boot(), _KERNEL: bytes(8192)}, flags=(_KERNEL,), title="zeroed by a crash"),
        Example(sample_boot()),
        Example({**sample_boot(), _KERNEL: sample_bzimage() + b"signature"}, title="a signature follows the kernel"),
    )

    def check(self, kernel: KernelVerdict) -> Iterator[Finding]:
        for cause in kernel.damaged:
            choice = cause.about
            message = f"the kernel {cause.reason}"
            yield self.finding(cause.where, message, "it does not start", severity=cause.severity, related=(choice.where,))
