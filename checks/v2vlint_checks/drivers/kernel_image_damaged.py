"""Rule kernel-image-damaged."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Example, Finding, OsInfo, Rule, Severity, Stage, sample_boot, sample_bzimage

_KERNEL = "/boot/vmlinuz-6.1.0-13-amd64"


class KernelImageDamaged(Rule):
    """The default kernel's file is empty, cut short, or no kernel.

    ## What it does
    Compares the file's size with the size that its boot header states, and notices files of zero bytes.

    ## Why it matters
    A full /boot or a crash during an update leaves such files. The loader refuses them, or the kernel dies while it unpacks itself.

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

    def check(self, choices: BootChoices, os: OsInfo) -> Iterator[Finding]:
        for choice in choices.defaults:
            if choice.kernel is None:
                continue
            problem = choice.kernel.content.problem
            if problem:
                severity = Severity.WARNING if choices.assumed else Severity.ERROR
                message = f"the kernel {choice.kernel_path} {problem}"
                yield self.finding(choice.kernel.where, message, "it does not start", severity=severity, related=(choice.where,))
