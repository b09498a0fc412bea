"""Rule windows-azure-vmbus."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, OsInfo, Registry, RegistryKey, Rule, Severity, Target, WindowsSystem

_SYSTEM = "/Windows/System32/config/SYSTEM"
_BINDINGS = "DriverDatabase\\DeviceIds\\ACPI"
_HIVE = f'[ControlSet001\\Control]\n[{_BINDINGS}\\VMBus]\n"wvmbus.inf"=hex:01,ff,00,00\n'
_2012 = OsInfo("windows", "windows", "windows", "Windows Server 2012 R2 Datacenter", "6.3.9600", "x86_64")
_8 = OsInfo("windows", "windows", "windows", "Windows 8.1 Pro", "6.3.9600", "x86_64")
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_VERSION = '[Microsoft\\Windows NT\\CurrentVersion]\n"CurrentVersion"="6.3"\n"InstallationType"='


class WindowsAzureVmbus(Rule):
    """Windows Server 2012 and 2012 R2 do not know the VMBus name that Azure's hosts now use.

    ## What it does
    Checks whether the ACPI name of the bus on the target (`vmbus_id` of its profile: `MSFT1000` on Azure) is bound to a driver in
    Windows Server 2012 and 2012 R2.

    ## Why it matters
    Updated hosts call the bus `ACPI\\MSFT1000` instead of `ACPI\\VMBus`. Without a driver for the bus there is no disk, and Windows stops
    with 0x7B or hangs at its logo. It starts on other Hyper-V hosts, so a test there proves nothing.

    ## References
    - Microsoft, "Windows Server 2012 R2 startup failure after Azure platform update"
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: Hive(_HIVE), _SOFTWARE: Hive(f'{_VERSION}"Server"\n')},
            given=(_2012,),
            target="azure",
            flags=(f"{_SYSTEM}:{_BINDINGS}\\MSFT1000",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: Hive(f'{_HIVE}[{_BINDINGS}\\MSFT1000]\n"wvmbus.inf"=hex:01,ff,00,00\n'), _SOFTWARE: Hive(f'{_VERSION}"Server"\n')},
            given=(_2012,),
            target="azure",
            title="the name is bound",
        ),
        Example({_SYSTEM: Hive(_HIVE), _SOFTWARE: Hive(f'{_VERSION}"Client"\n')}, given=(_8,), target="azure", title="Windows 8.1"),
        Example({_SYSTEM: Hive(_HIVE), _SOFTWARE: Hive(f'{_VERSION}"Server"\n')}, given=(_2012,), target="hyperv-gen1"),
        Example({_SYSTEM: Hive(_HIVE)}, target="azure", title="Windows 10"),
    )

    def check(self, registry: Registry, system: WindowsSystem, os: OsInfo, target: Target) -> Iterator[Finding]:
        if not target.vmbus_id or not system.server or system.version not in ((6, 2), (6, 3)):
            raise NotApplicable("only for Windows Server 2012 and 2012 R2 where the VMBus has another name than VMBus")
        binding = f"{_BINDINGS}\\{target.vmbus_id}"
        if registry.system.key(binding) is None:
            message = f"{os.name} has no driver for ACPI\\{target.vmbus_id}, the VMBus of current Azure hosts"
            effect = "Windows may not find its disk and stop with INACCESSIBLE_BOOT_DEVICE (0x7B)"
            where = RegistryKey(registry.system.path, binding)
            yield self.finding(where, message, f"{effect}; see Microsoft's article before the move")
