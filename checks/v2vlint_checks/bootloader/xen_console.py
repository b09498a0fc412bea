"""Rule xen-console."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Bootloader,
    CommandLines,
    Consoles,
    Example,
    Finding,
    Fix,
    KernelArg,
    Mover,
    NotApplicable,
    Refusals,
    ReplaceText,
    Rule,
    Severity,
    Target,
    sample_tools,
)

_XEN = re.compile(r"(?:/dev/)?[hx]vc\d+")
_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /vmlinuz-6.1.0 root=UUID=1 ro console={0}\n initrd /i\n}}\n"

_INITTAB = "id:3:initdefault:\n#h0:12345:respawn:/sbin/agetty 38400 hvc0\nco:2345:respawn:/sbin/agetty {0} 9600 vt100\n"


class XenConsole(Rule):
    """The guest's console is Xen's.

    ## What it does
    Finds `console=hvc0` and `console=xvc0` on the default entry's command line, and logins on such terminals in `/etc/inittab` and upstart
    jobs, on targets without that console.

    ## Why it matters
    The terminal does not exist there: no messages and no login on the console, and init complains that the getty respawns too fast.

    ## Fix safety
    Safe: the target's serial console takes its place: `ttyS0`, which virt-v2v writes, or `ttyAMA0` on 64-bit ARM.

    ## References
    - virt-v2v `convert/convert_linux.ml`, `configure_console`; xenserver/packer-plugin issue 24
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {_CFG: _ENTRY.format("hvc0"), "/etc/default/grub": "GRUB_CMDLINE_LINUX=console=hvc0\n"},
            flags=(f"{_CFG}:2",),
            severity=Severity.WARNING,
            fixed={_CFG: _ENTRY.format("ttyS0"), "/etc/default/grub": "GRUB_CMDLINE_LINUX=console=ttyS0\n"},
        ),
        Example(
            {"/etc/inittab": _INITTAB.format("xvc0")},
            flags=("/etc/inittab:3",),
            fixed={"/etc/inittab": _INITTAB.format("ttyS0")},
        ),
        Example(
            {"/etc/inittab": f"{_INITTAB.format('xvc0')}hv:2345:respawn:/sbin/agetty hvc0 9600 vt100\n"},
            flags=("/etc/inittab:3", "/etc/inittab:4"),
            fixed={"/etc/inittab": f"{_INITTAB.format('ttyS0')}hv:2345:respawn:/sbin/agetty hvc0 9600 vt100\n"},
            title="one login on the port",
        ),
        Example({_CFG: _ENTRY.format("hvc0"), **sample_tools()}, mover=Mover.VIRT_V2V, flags=(f"{_CFG}:2",), severity=Severity.INFO),
        Example({_CFG: _ENTRY.format("xvc0"), "/etc/inittab": _INITTAB.format("xvc0")}, target="xen"),
        Example(
            {_CFG: _ENTRY.format("hvc0")},
            target="kvm-aarch64",
            flags=(f"{_CFG}:2",),
            fixed={_CFG: _ENTRY.format("ttyAMA0")},
            title="64-bit ARM",
        ),
        Example({_CFG: _ENTRY.format("tty0 console=ttyS0"), "/etc/inittab": "1:2345:respawn:/sbin/getty 38400 tty1\n"}),
    )

    def check(
        self, bootloader: Bootloader, lines: CommandLines, consoles: Consoles, target: Target, refusals: Refusals
    ) -> Iterator[Finding]:
        if any(_XEN.fullmatch(name) for name in target.consoles):
            raise NotApplicable("the target has Xen's consoles")
        severity = Severity.INFO if refusals.converts else Severity.WARNING
        effect = "virt-v2v replaces it with ttyS0" if refusals.converts else "the console stays empty and has no login"
        serial = next((name for name in target.consoles if name.startswith("tty") and name != "tty0"), "")
        for arg in dict.fromkeys(arg for entry in bootloader.defaults for arg in entry.kernel_args if arg.name == "console"):
            name = (arg.value or "").split(",")[0]
            if _XEN.fullmatch(name) and name not in target.consoles:
                yield self.finding(
                    arg.where,
                    f"the console is {name}, which exists only on Xen",
                    effect,
                    severity=severity,
                    fix=_replace(arg, name, serial, lines),
                )
        taken = consoles.has(serial)
        for console in consoles.consoles:
            if _XEN.fullmatch(console.name) and console.name not in target.consoles and console.source != "systemd":
                edits = (ReplaceText(console.token.where, console.token.value, serial),) if console.token and serial else ()
                # Two logins on one port would take each other's input.
                fix = Fix(f"log in on {serial}", Applicability.SAFE, edits) if edits and not taken else None
                taken = taken or bool(fix)
                message = f"a login is started on {console.name}, which exists only on Xen"
                yield self.finding(console.where, message, effect, severity=severity, fix=fix)


def _replace(arg: KernelArg, name: str, serial: str, lines: CommandLines) -> Fix | None:
    value = arg.value or ""
    edits = lines.replace_value("console", value, f"{serial}{value[len(name) :]}") if serial else ()
    return Fix(f"write to {serial}", Applicability.SAFE, edits) if edits else None
