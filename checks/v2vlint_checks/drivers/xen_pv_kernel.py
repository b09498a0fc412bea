"""Rule xen-pv-kernel."""

from collections.abc import Iterator

from v2vlint.api import (
    BootChoices,
    Example,
    Finding,
    Kernel,
    Kernels,
    Mover,
    Rule,
    Severity,
    Span,
    Stage,
    Target,
    sample_boot,
    sample_kernel,
    virt_v2v_converts,
)

_XEN = "2.6.18-398.el5xen"
_PLAIN = "2.6.18-398.el5"


def _guest(*versions: str) -> dict[str, str | bytes]:
    files = sample_boot(sample_kernel(version=versions[0]), version=versions[0])
    for version in versions:
        symbol = "X86_64_XEN=y" if version.endswith("xen") else "HZ=250"
        files |= {**sample_kernel(version=version), f"/boot/config-{version}": f"CONFIG_{symbol}\n"}
    return files


class XenPvKernel(Rule):
    """The default kernel runs as a Xen paravirtual guest only.

    ## What it does
    Reads the kernel's configuration: `CONFIG_X86_XEN` or `CONFIG_X86_64_XEN` marks the separate Xen kernels of Linux 2.6. Kernels with
    `CONFIG_XEN=y` run on anything and are not meant.

    ## Why it matters
    Such a kernel has no idea of real or emulated hardware; on anything but Xen's paravirtual mode it does not start. Install the plain
    kernel before the move.

    ## References
    - virt-v2v: `ki_is_xen_pv_only_kernel` in libguestfs-common `mldrivers/linux_kernels.ml`
    """

    severity = Severity.ERROR
    stage = Stage.KERNEL
    since = "0.1"
    predicts = (r"only Xen kernels are installed in this guest",)
    examples = (
        Example(_guest(_XEN), flags=(f"/boot/config-{_XEN}:1",), severity=Severity.ERROR),
        Example(
            _guest(_XEN, _PLAIN),
            mover=Mover.VIRT_V2V,
            flags=(f"/boot/config-{_XEN}:1",),
            severity=Severity.INFO,
            title="virt-v2v makes the plain kernel the default",
        ),
        Example(_guest(_PLAIN, _XEN), title="not the default"),
        Example(_guest(_XEN), target="xen"),
        Example({**sample_boot(), "/boot/config-6.1.0-13-amd64": "CONFIG_XEN=y\nCONFIG_XEN_PV=y\n"}, title="runs anywhere"),
    )

    def check(self, choices: BootChoices, kernels: Kernels, target: Target, mover: Mover) -> Iterator[Finding]:
        for choice in choices.defaults:
            kernel = choice.kernel
            if kernel is None or target.xen_pv or not kernel.is_xen_pv_only:
                continue
            plain = next((other for other in kernels.bootable if not other.is_xen_pv_only), None)
            changed = plain is not None and virt_v2v_converts(mover, target)
            advice = f"; kernel {plain.version} is installed and would" if plain else ""
            effect = "virt-v2v makes another kernel the default" if changed else f"it does not start on the target{advice}"
            severity = Severity.INFO if changed else Severity.WARNING if choices.assumed else Severity.ERROR
            message = f"the default kernel {kernel.version} runs as a Xen paravirtual guest only"
            where = _where(kernel) or kernel.where
            yield self.finding(where, message, effect, severity=severity, related=(choice.where,))


def _where(kernel: Kernel) -> Span | None:
    config = kernel.config
    if config is None:
        return None
    return config.where("X86_XEN" if config.is_set("X86_XEN") else "X86_64_XEN")
