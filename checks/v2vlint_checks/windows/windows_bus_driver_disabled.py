"""Rule windows-bus-driver-disabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    Hive,
    OsInfo,
    Rule,
    Severity,
    Stage,
    Unknown,
    WindowsRootVerdict,
    sample_driver,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Services"
_FILES = {f"/Windows/System32/drivers/{name}.sys": sample_driver() for name in ("storahci", "pci", "volmgr")}
_AHCI = f'[{_KEY}\\storahci]\n"Type"=dword:1\n"Start"=dword:0\n"ImagePath"="System32\\\\drivers\\\\storahci.sys"\n'
_PCI = f'[{_KEY}\\pci]\n"Type"=dword:1\n"Start"=dword:0\n"ImagePath"="System32\\\\drivers\\\\pci.sys"\n'
_VOLMGR = _PCI.replace("pci", "volmgr")


class WindowsBusDriverDisabled(Rule):
    """A driver between the bus and the volumes of Windows does not start at boot.

    ## What it does
    Checks the drivers that Windows needs for any disk: `acpi`, `pci`, `disk`, `partmgr`, `volmgr`, `volume` (`ftdisk` in Windows XP and
    2003, which also run without ACPI), and `vpci` where Hyper-V or Azure passes NVMe disks to the guest. Each must start at boot (`Start`
    is 0 and no `StartOverride` says otherwise), and its file must be a driver for this Windows.

    ## Why it matters
    However good the driver of the controller is, the kernel does not find the disk and stops with INACCESSIBLE_BOOT_DEVICE (0x7B).

    ## Fix safety
    Safe if only start types are wrong: they get the value that every Windows has. A missing file has to come from Windows' media.

    ## References
    - Azure/SAP-on-Azure-Scripts-and-Utilities, the conversion to NVMe: it checks `StartOverride` of these drivers.
    - Microsoft, "Stop error code 0x0000007B (INACCESSIBLE_BOOT_DEVICE)"
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.2"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)INACCESSIBLE.BOOT.DEVICE", r"(?i)\b0x0*7b\b")
    examples = (
        Example(
            {_SYSTEM: Hive(f'{_AHCI}{_PCI}[{_KEY}\\pci\\StartOverride]\n"0"=dword:3\n'), **_FILES},
            target="virtualbox",
            flags=(f"{_SYSTEM}:{_KEY}\\pci\\StartOverride:0",),
            severity=Severity.ERROR,
            fixed={_SYSTEM: Hive(f'{_AHCI}{_PCI}[{_KEY}\\pci\\StartOverride]\n"0"=dword:0\n')},
        ),
        Example(
            {_SYSTEM: Hive(_AHCI + _VOLMGR.replace("dword:0", "dword:4")), **_FILES},
            target="virtualbox",
            flags=(f"{_SYSTEM}:{_KEY}\\volmgr:Start",),
            fixed={_SYSTEM: Hive(_AHCI + _VOLMGR)},
        ),
        Example(
            {_SYSTEM: Hive(_AHCI + _PCI), **_FILES, "/Windows/System32/drivers/pci.sys": sample_driver("i386")},
            target="virtualbox",
            given=(OsInfo("windows", "windows", "windows", "Windows 10", "10.0.19045", "x86_64"),),
            flags=(f"{_SYSTEM}:{_KEY}\\pci:ImagePath",),
            title="a driver of the 32-bit Windows",
        ),
        Example({_SYSTEM: Hive(_AHCI + _PCI + _VOLMGR), **_FILES}, target="virtualbox"),
        Example({_SYSTEM: Hive(_AHCI), **_FILES}, target="virtualbox", title="a Windows that has no such service"),
    )

    def check(self, root: WindowsRootVerdict, os: OsInfo) -> Iterator[Finding | Unknown]:
        for cause in root.chain:
            driver = cause.about
            if cause.severity is None:
                yield self.unknown(cause.where, driver.reason)
                continue
            how = f"start {driver.names} at boot"
            fix = Fix(how, Applicability.SAFE, driver.repair) if driver.repair else None
            effect = f"{os.name} does not reach its disk and stops with INACCESSIBLE_BOOT_DEVICE (0x7B)"
            yield self.finding(cause.where, driver.reason, effect, severity=cause.severity, fix=fix)
