"""Rule kernel-memory-flavour."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Example, Finding, Rule, Severity, Target, sample_boot, sample_kernel

_FLAVOURS = {
    "hugemem": "more than 16 GB on 32 bits",
    "largesmp": "machines with more than 8 processors",
    "bigsmp": "32-bit machines with many processors",
}


def _guest(version: str) -> dict[str, str | bytes]:
    return sample_boot(sample_kernel(version=version), version=version)


class KernelMemoryFlavour(Rule):
    """The default kernel is a flavour for old hardware, or cannot use all of the target's memory.

    ## What it does
    Recognises the flavours hugemem, largesmp and bigsmp by name, and 32-bit kernels without PAE, which use at most 4 GB.

    ## Why it matters
    The flavours run on virtual hardware, but they were chosen for the old machine and are the first to lack new drivers. A kernel without
    PAE leaves memory above 4 GB unused.

    ## References
    - Red Hat Enterprise Linux 4 release notes on kernel flavours; `Documentation/arch/x86` on PAE.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(_guest("2.6.9-103.ELhugemem"), flags=("/boot/vmlinuz-2.6.9-103.ELhugemem",), severity=Severity.INFO),
        Example(_guest("2.6.32-5-amd64")),
        Example(_guest("6.1.0-13-686"), title="4 GB are enough for the target's 2 GB"),
    )

    def check(self, choices: BootChoices, target: Target) -> Iterator[Finding]:
        kernel = choices.default.kernel if choices.default else None
        if kernel is None:
            return
        if kernel.flavour in _FLAVOURS:
            message = f"the default kernel {kernel.version} is the flavour for {_FLAVOURS[kernel.flavour]}"
            yield self.finding(kernel.where, message, "it runs, but the plain kernel suits a virtual machine better")
        elif kernel.flavour == "i686" and target.ram_mib > 4096:
            message = f"the default kernel {kernel.version} has no PAE and uses at most 4 GB of the target's {target.ram_mib} MiB"
            yield self.finding(kernel.where, message, "the rest of the memory stays unused")
