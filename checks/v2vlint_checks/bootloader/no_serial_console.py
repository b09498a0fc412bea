"""Rule no-serial-console."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Bootloader,
    CommandLines,
    Consoles,
    Example,
    Finding,
    Fix,
    GrubDefaults,
    KernelArg,
    NotApplicable,
    Rule,
    Severity,
    Target,
)

_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Debian' {{\n linux /vmlinuz-6.1.0 root=UUID=1 ro quiet{0}\n initrd /i\n}}\n"
_ADDED = " console=tty0 console=ttyS0,115200n8"
_DEFAULT = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet{0}"\nGRUB_CMDLINE_LINUX=""\n'


class NoSerialConsole(Rule):
    """The target shows only the serial console, and the guest does not write to it.

    ## What it does
    For targets whose main console is serial (clouds): looks for `console=ttyS0` on the default entry's command line. On 64-bit ARM the
    kernel finds its console in the firmware's SPCR table, and nothing is asked for.

    ## Why it matters
    The guest runs, but its boot messages and login go to a screen that nobody can see. If the network fails, there is no way in.

    ## Fix safety
    Unsafe: it moves the boot messages. `console=tty0 console=ttyS0,115200n8` is added to the default entry and to the settings for new
    entries.

    ## References
    - kernel `Documentation/admin-guide/serial-console.rst`; GCE's image import adds the same
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {_CFG: _ENTRY.format(""), "/etc/default/grub": _DEFAULT.format("")},
            target="gce",
            flags=(f"{_CFG}:2",),
            severity=Severity.WARNING,
            fixed={_CFG: _ENTRY.format(_ADDED), "/etc/default/grub": _DEFAULT.format(_ADDED)},
        ),
        Example(
            {_CFG: _ENTRY.format(""), "/etc/default/grub": "GRUB_CMDLINE_LINUX=quiet # no quotes\n"},
            target="gce",
            flags=(f"{_CFG}:2",),
            fixed={_CFG: _ENTRY.format(_ADDED), "/etc/default/grub": f'GRUB_CMDLINE_LINUX=quiet"{_ADDED}" # no quotes\n'},
        ),
        Example({_CFG: _ENTRY.format(" console=ttyS0,38400")}, target="gce"),
        Example({_CFG: _ENTRY.format(" -- console=ttyS0")}, flags=(f"{_CFG}:2",), target="gce", title="behind `--` it is for init"),
        Example({_CFG: _ENTRY.format("")}, title="the target has a screen"),
        Example({_CFG: _ENTRY.format(""), "/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service": ""}, target="gce"),
        Example({_CFG: _ENTRY.format("")}, target="ec2-graviton", title="the firmware names the port"),
    )

    def check(
        self, bootloader: Bootloader, consoles: Consoles, lines: CommandLines, defaults: GrubDefaults, target: Target
    ) -> Iterator[Finding]:
        if not target.consoles[:1] == ("ttyS0",):
            raise NotApplicable("the target's main console is not serial")
        if target.arch == "aarch64":
            raise NotApplicable("the kernel writes to the port that the firmware names")
        for entry in bootloader.defaults:
            named = {(arg.value or "").split(",")[0] for arg in entry.kernel_args if arg.name == "console"}
            if entry.kernel and entry.kernel_args and "ttyS0" not in named and not consoles.has("ttyS0"):
                message = f"the default entry ({entry}) has no console=ttyS0"
                effect = "boot messages and the login prompt go to a screen that the target does not show"
                last = entry.kernel_args[-1]  # what stands behind `--` is for init
                yield self.finding(last.where, message, effect, fix=_add(last, lines, defaults))


def _add(last: KernelArg, lines: CommandLines, defaults: GrubDefaults) -> Fix | None:
    sources = (defaults.get(name) for name in ("GRUB_CMDLINE_LINUX_DEFAULT", "GRUB_CMDLINE_LINUX"))
    # The first of the two that has an argument to append to.
    source = next((one for one in sources if one and one.args), None)
    added = {last: _ADDED}
    if source:
        added[source.args[-1]] = _ADDED if source.is_quoted else f'"{_ADDED}"'
    edits = lines.append(added)
    return Fix("write to the serial console too", Applicability.UNSAFE, edits) if edits else None
