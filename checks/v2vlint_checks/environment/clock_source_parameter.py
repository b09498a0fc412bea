"""Rule clock-source-parameter."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Bootloader, CommandLines, Example, Finding, Fix, KernelArg, NotApplicable, Rule, Severity, Target

_PARAVIRTUAL = frozenset({"hyperv_clocksource_tsc_page", "hyperv_clocksource_msr", "kvm-clock", "xen", "vmware"})
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n\tlinux /vmlinuz root=UUID=1c7e ro {0}\n\tinitrd /initrd.img\n}}\n"


class ClockSourceParameter(Rule):
    """The kernel command line selects another hypervisor's clock.

    ## What it does
    Finds `clocksource=` with a clock that the target does not offer (`clocksources` of its profile; `kvm-clock`, `xen`,
    `hyperv_clocksource_tsc_page`).

    ## Why it matters
    The kernel does not find that clock and picks another one, which need not be the target's own.

    ## Fix safety
    Safe: without the argument the kernel picks the hypervisor's clock.

    ## References
    - kernel-parameters.txt, `clocksource=`
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(
            {_CFG: _ENTRY.format("clocksource=hyperv_clocksource_tsc_page quiet")},
            flags=(f"{_CFG}:2",),
            fixed={_CFG: _ENTRY.format(" quiet")},
        ),
        Example({_CFG: _ENTRY.format("clocksource=tsc quiet")}),
        Example({_CFG: _ENTRY.format("clocksource=kvm-clock quiet")}),
    )

    def check(self, bootloader: Bootloader, lines: CommandLines, target: Target) -> Iterator[Finding]:
        found: dict[str, KernelArg] = {}
        for entry in bootloader.defaults:
            for arg in entry.kernel_args:
                if arg.name == "clocksource" and arg.value in _PARAVIRTUAL - set(target.clocksources):
                    found.setdefault(arg.value or "", arg)
        if not found:
            raise NotApplicable("no hypervisor's clock is selected")
        for value, arg in found.items():
            edits = lines.replace_arg("clocksource", value, "")
            fix = Fix("let the kernel choose its clock", Applicability.SAFE, edits) if edits else None
            effect = "the kernel does not find it and picks another one"
            yield self.finding(arg.where, f"the command line selects the clock {value}, which {target.name} does not have", effect, fix=fix)
