"""Rule running-kernel-differs."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Definition, Example, Finding, Kernels, NotApplicable, Rule, Severity, sample_boot, sample_kernel


def _machine(kernel: str) -> Definition:
    return Definition("machine", "live:", kernel=kernel, path="live:")


class RunningKernelDiffers(Rule):
    """A running machine has booted another kernel than its copy will boot.

    ## What it does
    Compares the kernel that the machine runs (`uname -r`) with the installed ones and with the default boot entry.

    ## Why it matters
    The forecast is about the default entry. After an update without a reboot, that is a kernel which has never run on this machine; and a
    kernel that is not installed any more, or never was (network boot, a kernel from the host), is one that the copy cannot boot. Reboot the
    machine before the move, so that a fault of the new kernel is not mistaken for one of the move.

    ## References
    - uname(2)
    """

    severity = Severity.WARNING
    since = "0.2"
    examples = (
        Example(sample_boot(), given=(_machine("5.10.0-9-amd64"),), flags=("live:",), title="not installed"),
        Example(
            {**sample_kernel(version="6.1.0-12-amd64"), **sample_boot()},
            given=(_machine("6.1.0-12-amd64"),),
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.INFO,
            title="an update without a reboot",
        ),
        Example(sample_boot(), given=(_machine("6.1.0-13-amd64"),)),
    )

    def check(self, definition: Definition, choices: BootChoices, kernels: Kernels) -> Iterator[Finding]:
        if not (running := definition.kernel):
            raise NotApplicable("no machine that runs is looked at")
        versions = [choice.kernel.version for choice in choices.defaults if choice.kernel]
        if running in versions:
            return
        starts = f"its copy starts {', '.join(dict.fromkeys(versions))}" if versions else "its copy starts another one"
        if any(kernel.version == running for kernel in kernels):
            if versions:
                message = f"the machine runs kernel {running}, which is not that of the default entry"
                yield self.finding(choices.defaults[0].where, message, f"{starts}: reboot before the move", severity=Severity.INFO)
        else:
            yield self.finding(definition.at("kernel"), f"the machine runs kernel {running}, which is not installed", starts)
