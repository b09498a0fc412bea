"""Rule kernel-for-one-cpu."""

from collections.abc import Iterator

from v2vlint.api import BootChoices, Example, Finding, KernelConfig, KernelVerdict, Rule, Severity, Stage, Target, sample_boot

_CONFIG, _IMAGE = "/boot/config-6.1.0-13-amd64", "/boot/vmlinuz-6.1.0-13-amd64"
# Linux's own symbol, then those of the patch that CachyOS, Gentoo and others apply (kernel_compiler_patch).
_NATIVE = ("X86_NATIVE_CPU", "MNATIVE", "MNATIVE_INTEL", "MNATIVE_AMD")
_LEVELS = {"GENERIC_CPU2": 2, "GENERIC_CPU3": 3, "GENERIC_CPU4": 4}


class KernelForOneCpu(Rule):
    """The default kernel is compiled for one CPU, or for a newer level than the target guarantees.

    ## What it does
    Reads the configuration of the default kernel: `CONFIG_X86_NATIVE_CPU` (Linux 6.16), the `MNATIVE` options of common patches, and
    `CONFIG_X86_64_VERSION` above the target's level. On 64-bit ARM, the size of the kernel's pages (header or `CONFIG_ARM64_16K_PAGES`,
    `CONFIG_ARM64_64K_PAGES`), which not every processor has.

    ## Why it matters
    Such a kernel faults early in boot, before it can print anything, when the virtual CPU lacks an instruction. Install the distribution's
    generic kernel before the move.

    ## References
    - arch/x86/Kconfig.cpu of Linux 6.16, `X86_NATIVE_CPU`
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {**sample_boot(), _CONFIG: "CONFIG_64BIT=y\nCONFIG_X86_NATIVE_CPU=y\n"}, flags=(f"{_CONFIG}:2",), severity=Severity.WARNING
        ),
        Example({**sample_boot(), _CONFIG: "CONFIG_X86_64_VERSION=3\n"}, flags=(f"{_CONFIG}:1",), title="CachyOS"),
        Example(
            {**sample_boot(), _CONFIG: "CONFIG_ARM64_16K_PAGES=y\n"},
            target="kvm-aarch64",
            flags=(_IMAGE,),
            severity=Severity.WARNING,
            title="older ARM cores have no pages of 16 KiB",
        ),
        Example({**sample_boot(), _CONFIG: "CONFIG_ARM64_64K_PAGES=y\n"}, target="kvm-aarch64", title="but of 64 KiB"),
        Example({**sample_boot(), _CONFIG: "CONFIG_GENERIC_CPU=y\n# CONFIG_X86_NATIVE_CPU is not set\nCONFIG_X86_64_VERSION=1\n"}),
    )

    def check(self, choices: BootChoices, kernels: KernelVerdict, target: Target) -> Iterator[Finding]:
        for cause in kernels.pages:
            effect = "its EFI stub refuses to start it on a processor without them"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, stage=Stage.KERNEL)
        for choice in choices.defaults:
            config = choice.kernel.config if choice.kernel else None
            if choice.kernel is None or config is None:
                continue
            effect = "it faults early in boot on a CPU that lacks an instruction it uses"
            native = next((symbol for symbol in _NATIVE if config.get(symbol) == "y"), "")
            symbol, level = _level(config)
            if native:
                message = f"kernel {choice.kernel.version} is compiled for the CPU it was built on ({native})"
                yield self.finding(config.where(native), message, effect)
            elif level > target.cpu_level:
                message = f"kernel {choice.kernel.version} is compiled for x86-64-v{level}, and the target guarantees v{target.cpu_level}"
                yield self.finding(config.where(symbol), message, effect)


def _level(config: KernelConfig) -> tuple[str, int]:
    version = config.get("X86_64_VERSION")
    if version.isdecimal():
        return "X86_64_VERSION", int(version[:2])
    return next(((symbol, level) for symbol, level in _LEVELS.items() if config.get(symbol) == "y"), ("", 0))
