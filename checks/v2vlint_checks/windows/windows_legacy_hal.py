"""Rule windows-legacy-hal."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, OsInfo, Rule, Severity, WindowsAcpi, WindowsSystem

_SYSTEM = "/Windows/System32/config/SYSTEM"
_ENUM = "ControlSet001\\Enum\\Root"
_XP = OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386")


def _hal(device: str, name: str) -> dict[str, Hive]:
    return {_SYSTEM: Hive(f'[{_ENUM}\\{device}\\0000]\n"HardwareID"=multi:"{name}"\n')}


class WindowsLegacyHal(Rule):
    r"""Windows XP or 2003 was installed for a machine without ACPI, or for one with a single processor.

    ## What it does
    Reads which hardware abstraction layer (HAL) setup chose: the hardware ID of `Enum\Root\ACPI_HAL` or `Enum\Root\PCI_HAL`.

    ## Why it matters
    Every virtual machine has ACPI. A Windows installed without it still boots there, but does not use it: it ignores the power button
    (`virsh shutdown`, "shut down" in a management console) and does not power itself off, so that a host shutting down waits for it and
    then kills it. A uniprocessor HAL uses one processor, however many the machine has. Windows Vista and later choose for
    themselves.

    There is no fix: Microsoft supports the change from a HAL without ACPI to one with it only by reinstallation. To change from "ACPI
    Uniprocessor" to "ACPI Multiprocessor", update the computer's driver in Device Manager.

    ## References
    - Microsoft knowledge base 309283, "HAL options after Windows XP or Windows Server 2003 Setup", and 314088
    - Microsoft, "DevCon Examples": the hardware ID of `ROOT\ACPI_HAL\0000`
    - VirtualBox manual, "Windows bluescreens after changing VM configuration": ACPI may be added, but is then not used
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"MISMATCHED_HAL|HAL_INITIALIZATION_FAILED", r"STOP:? *0x0*(79|5C|A5)\b")
    examples = (
        Example(
            _hal("PCI_HAL", "e_isa_up"),
            given=(_XP,),
            flags=(f"{_SYSTEM}:{_ENUM}\\PCI_HAL\\0000:HardwareID",),
            severity=Severity.WARNING,
            title="Standard PC",
        ),
        Example(_hal("PCI_HAL", "mps_mp"), given=(_XP,), flags=(f"{_SYSTEM}:{_ENUM}\\PCI_HAL\\0000:HardwareID",)),
        Example(
            _hal("ACPI_HAL", "acpiapic_up"),
            given=(_XP,),
            flags=(f"{_SYSTEM}:{_ENUM}\\ACPI_HAL\\0000:HardwareID",),
            severity=Severity.INFO,
            title="one processor",
        ),
        Example(_hal("ACPI_HAL", "acpiapic_mp"), given=(_XP,)),
        Example({_SYSTEM: Hive(f"[{_ENUM}]\n")}, given=(_XP,), title="the registry does not say"),
        Example(_hal("ACPI_HAL", "acpiapic_up"), title="Windows 10 chooses when it starts"),
    )

    def check(self, acpi: WindowsAcpi, system: WindowsSystem) -> Iterator[Finding]:
        if not (0, 0) < system.version < (6, 0):
            raise NotApplicable("it chooses the HAL at boot")
        hal = acpi.hal
        if hal is None:
            return
        one = "it uses one processor, however many the machine has"
        if not hal.acpi:
            effect = f"it ignores the power button and does not power itself off{f'; {one}' if hal.uniprocessor else ''}"
            yield self.finding(hal.where, f"Windows was installed for a machine without ACPI ({hal.title})", effect)
        elif hal.uniprocessor:
            yield self.finding(hal.where, f"Windows was installed for one processor ({hal.title})", one, severity=Severity.INFO)
