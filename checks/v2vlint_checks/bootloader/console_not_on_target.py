"""Rule console-not-on-target."""

import re
from collections.abc import Iterator

from v2vlint.api import Bootloader, Example, Finding, NotApplicable, Rule, Severity, Target

_XEN = re.compile(r"[hx]vc\d+")
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /vmlinuz-6.1.0 root=UUID=1 ro {0}\n initrd /i\n}}\n"


class ConsoleNotOnTarget(Rule):
    """All consoles the guest writes to are missing on the target.

    ## What it does
    Compares the `console=` arguments of the default entry with the consoles of the target. Another rule covers Xen's own consoles.

    ## Why it matters
    A guest that writes only to `ttyS0` shows a black screen on a target with a display and no serial port. If it fails to boot, nobody sees
    why.

    ## References
    - kernel `Documentation/admin-guide/serial-console.rst`
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_CFG: _ENTRY.format("console=ttyS0,115200")}, target="vmware", flags=(f"{_CFG}:2",), severity=Severity.INFO),
        Example({_CFG: _ENTRY.format("console=ttyS0 console=tty0")}, target="vmware"),
        Example({_CFG: _ENTRY.format("console=ttyS0")}),
        Example({_CFG: _ENTRY.format("quiet")}, target="vmware"),
    )

    def check(self, bootloader: Bootloader, target: Target) -> Iterator[Finding]:
        if not bootloader.defaults:
            raise NotApplicable("no default entry is known")
        for entry in bootloader.defaults:
            named = [(arg, (arg.value or "").split(",")[0].removeprefix("/dev/")) for arg in entry.kernel_args if arg.name == "console"]
            if named and not any(_shown(name, target) or _XEN.fullmatch(name) for _arg, name in named):
                names = ", ".join(name for _arg, name in named)
                message = f"the guest only writes to {names}, and the target shows {', '.join(target.consoles)}"
                yield self.finding(named[-1][0].where, message, "the screen stays black while the guest boots")


def _shown(name: str, target: Target) -> bool:
    return name in target.consoles or (name.startswith("tty") and name[3:].isdigit() and "tty0" in target.consoles)
