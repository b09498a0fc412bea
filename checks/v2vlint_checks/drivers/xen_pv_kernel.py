"""Rule xen-pv-kernel."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Kernels, KernelVerdict, Mover, Rule, Severity, Stage, sample_boot, sample_kernel, sample_tools

_XEN = "2.6.18-398.el5xen"
_PLAIN = "2.6.18-398.el5"


def _guest(*versions: str) -> dict[str, str | bytes]:
    files = sample_boot(sample_kernel(version=versions[0]), version=versions[0])
    for version in versions:
        symbol = "X86_64_XEN=y" if version.endswith("xen") else "HZ=250"
        files |= {**sample_kernel(version=version), f"/boot/config-{version}": f"CONFIG_{symbol}\n"}
    return files


class XenPvKernel(Rule):
    """The default kernel runs only as a Xen paravirtual guest.

    ## What it does
    Reads the kernel's configuration: `CONFIG_X86_XEN` or `CONFIG_X86_64_XEN` marks the separate Xen kernels of Linux 2.6. Kernels with
    `CONFIG_XEN=y` run on anything and do not count.

    ## Why it matters
    Such a kernel has no support for real or emulated hardware and does not start outside Xen's paravirtual mode. Install the plain kernel
    before the move.

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
            {**_guest(_XEN, _PLAIN), **sample_tools(), "/sbin/grubby": ""},
            mover=Mover.VIRT_V2V,
            flags=(f"/boot/config-{_XEN}:1",),
            severity=Severity.INFO,
            title="virt-v2v makes the plain kernel the default",
        ),
        Example(_guest(_PLAIN, _XEN), title="not the default"),
        Example(_guest(_XEN), target="xen"),
        Example({**sample_boot(), "/boot/config-6.1.0-13-amd64": "CONFIG_XEN=y\nCONFIG_XEN_PV=y\n"}, title="runs anywhere"),
    )

    def check(self, kernel: KernelVerdict, kernels: Kernels) -> Iterator[Finding]:
        for cause in kernel.xen:
            choice = cause.about
            plain = next((other for other in kernels.bootable if not other.is_xen_pv_only), None)
            advice = f"; kernel {plain.version} is installed and would" if plain else ""
            changed = cause.severity is Severity.INFO
            effect = "virt-v2v makes another kernel the default" if changed else f"it does not start on the target{advice}"
            message = f"the default kernel {cause.reason}"
            yield self.finding(cause.where, message, effect, severity=cause.severity, related=(choice.where,))
