"""Rule windows-boot-options."""

from collections.abc import Iterator

from v2vlint.api import BcdEntry, BlockTable, Content, Example, Finding, Hive, RegistryKey, Rule, Severity, Target, WindowsStart

_STORE = "/Boot/BCD"
_RECOVERY_TYPES = frozenset({"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "0x27"})
_ELEMENTS = "Objects\\{1}\\Elements"
_BCD = rf"""
[Objects\{{9dea862c-5cdd-4e70-acc1-f32b344d4795}}\Elements\23000003]
"Element"="{{1}}"
[{_ELEMENTS}\12000002]
"Element"="\\Windows\\System32\\winload.exe"
"""
_RECOVERY = rf"""
[{_ELEMENTS}\14000008]
"Element"=multi:"{{2}}"
[{_ELEMENTS}\16000009]
"Element"=hex:01
"""
_RESUME = "Objects\\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements\\26000005"
_EMS = f'[{_ELEMENTS}\\260000b0]\n"Element"=hex:01\n'
_BASE: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), "/bootmgr": b"MZ"}


class WindowsBootOptions(Rule):
    """The boot entry of Windows has options that matter on another machine.

    ## What it does
    Reads the entry that the next boot uses. It reports entries for a single boot, attempts to resume, `testsigning` and
    `nointegritychecks`, a recovery environment that comes up after a failed boot and, for targets whose main console is serial,
    missing emergency management services (`ems`), which provide a console on the serial port.

    ## Why it matters
    After one or two failed boots Windows enters the recovery environment, which waits for somebody with a screen and keyboard; clouds
    recommend `bootstatuspolicy IgnoreAllFailures`. Without emergency services nothing appears on a serial console. Where signatures are not
    checked, the guest may depend on drivers that Secure Boot refuses: with it enabled, these options are ignored.

    ## References
    - Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure": `bootstatuspolicy`, `recoveryenabled`, `bootems`, `ems`
    - Google, "Connecting to serial consoles", Windows Special Administrative Console
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_BASE, _STORE: Hive(_BCD + _RECOVERY)}, flags=(f"{_STORE}:{_ELEMENTS}\\14000008:Element",), severity=Severity.INFO),
        Example({**_BASE, _STORE: Hive(_BCD + f'[{_ELEMENTS}\\16000049]\n"Element"=hex:01\n')}, flags=(f"{_STORE}:{_ELEMENTS}\\16000049",)),
        Example({**_BASE, _STORE: Hive(_BCD)}, target="gce", flags=(f"{_STORE}:{_ELEMENTS}",), title="nothing on the serial console"),
        Example(
            {
                **_BASE,
                _STORE: Hive(_BCD.replace("23000003", "24000002").replace('"Element"="{1}"', '"Element"=multi:"{1}"')),
            },
            flags=(f"{_STORE}:{_ELEMENTS}",),
            title="an entry for the next start only",
        ),
        Example(
            {**_BASE, _STORE: Hive(_BCD + f'[{_RESUME}]\n"Element"=hex:01\n')}, flags=(f"{_STORE}:{_RESUME}",), title="a resume is tried"
        ),
        Example({**_BASE, _STORE: Hive(_BCD + _EMS)}, target="gce"),
        Example(
            {**_BASE, _STORE: Hive(f'{_BCD}{_RECOVERY}[{_ELEMENTS}\\250000e0]\n"Element"=hex:01,00,00,00,00,00,00,00\n')},
            title="failures are ignored",
        ),
    )

    def check(self, start: WindowsStart, target: Target, blocks: BlockTable) -> Iterator[Finding]:
        if start.boot.default is not None:
            for where, message, effect in _told(start.boot.default, target, _recovery(blocks)):
                yield self.finding(where, message, effect)
        if start.boot.menu.resumes is not None:
            effect = "without a hibernated system in hiberfil.sys it starts the entry normally"
            yield self.finding(start.boot.menu.resumes, "the boot manager first tries to resume a hibernated system", effect)


def _recovery(blocks: BlockTable) -> str:
    """A phrase naming the recovery partition, if there is one."""
    names = [one.name for one in blocks if one.part_type.lower() in _RECOVERY_TYPES]
    return f" ({', '.join(names)})" if names else ""


def _told(entry: BcdEntry, target: Target, place: str) -> Iterator[tuple[RegistryKey, str, str]]:
    name = entry.name or entry.loader or "the entry"
    if entry.once:
        yield entry.where, f"the next boot uses {name}, later ones the default entry", "only the next boot is judged"
    if entry.recovery:
        effect = "where nobody sees the screen, set bootstatuspolicy IgnoreAllFailures or recoveryenabled No"
        yield entry.recovery, f"after a failed boot {name} enters the recovery environment{place}, which waits for input", effect
    if entry.unsigned:
        effect = "with Secure Boot the option is ignored, and unsigned drivers do not load"
        yield entry.unsigned, f"{name} does not check driver signatures", effect
    if target.consoles[:1] == ("ttyS0",) and entry.ems is None:
        effect = "nothing appears on the target's serial console: bcdedit /ems {default} on, and /emssettings EMSPORT:1 EMSBAUDRATE:115200"
        yield entry.where, f"{name} has no emergency services on a serial port", effect
