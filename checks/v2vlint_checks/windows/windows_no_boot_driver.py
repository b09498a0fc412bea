"""Rule windows-no-boot-driver."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    DriverVerdict,
    Example,
    Finding,
    Fix,
    Hive,
    Mover,
    OsInfo,
    Rule,
    Severity,
    Stage,
    Unknown,
    WindowsRootVerdict,
    sample_driver,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = f"{_SYSTEM}:ControlSet001\\Services"
_FILE = {"/Windows/System32/drivers/viostor.sys": sample_driver(), "/Windows/System32/drivers/storahci.sys": sample_driver()}
_SERVICE = r"""
[ControlSet001\Services\viostor]
"Type"=dword:1
"Start"=dword:0
"Group"="SCSI miniport"
"ImagePath"="System32\\drivers\\viostor.sys"
"""
_BOUND = "[DriverDatabase\\DeviceIds\\PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00]\n"
_SEEN = '[ControlSet001\\Enum\\PCI\\VEN_1AF4&DEV_1001\\3&13c0b0c5&0&20]\n"Service"="viostor"\n'
_AHCI = r"""
[ControlSet001\Services\storahci]
"Type"=dword:1
"Start"=dword:0
"ImagePath"="System32\\drivers\\storahci.sys"
"""
_XP = OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386")
_CRITICAL = "ControlSet001\\Control\\CriticalDeviceDatabase"
_IDE = "".join(f'[ControlSet001\\Services\\{name}]\n"Type"=dword:1\n"Start"=dword:0\n' for name in ("atapi", "intelide", "pciide"))
_IDE_FILES = {f"/Windows/System32/drivers/{name}.sys": sample_driver("i386") for name in ("atapi", "intelide", "pciide")}


def _bound(name: str, service: str) -> str:
    return f'[{_CRITICAL}\\{name}]\n"Service"="{service}"\n"ClassGUID"="{{4D36E96A-E325-11CE-BFC1-08002BE10318}}"\n'


_PIIX4 = _bound("PCI#VEN_8086&DEV_7111", "intelide")
_PIIX3 = "".join(map(_bound, ("PCI#VEN_8086&DEV_7010", "primary_ide_channel", "secondary_ide_channel"), ("intelide", "atapi", "atapi")))
_GENERIC = _bound("PCI#CC_0101", "pciide")


class WindowsNoBootDriver(Rule):
    """Windows has no boot-start driver for the target's disk controller.

    ## What it does
    Looks up the services that can drive each disk controller of the target (`viostor` for virtio-blk, `vioscsi` for virtio-scsi, `storahci`
    or `msahci` for SATA, `stornvme` for NVMe, `storvsc` for Hyper-V, `pvscsi` for VMware…) in the control set that boots. A service counts
    if it starts at boot (`Start` is 0 and no `StartOverride` says otherwise), its file is a driver for this Windows, and the controller
    is bound to it. Up to Windows 7 and Server 2008 R2 a key of `CriticalDeviceDatabase` binds it by one of the controller's IDs or its
    class (`PCI#CC_0101`); from Windows 8 on `DriverDatabase` does, which is checked for drivers not shipped with Windows.

    ## Why it matters
    The boot loader reads the disk through the firmware; the kernel then has no access to it and stops with INACCESSIBLE_BOOT_DEVICE (0x7B).
    A driver package that is only staged does not help: it has no service yet. Neither does a service whose `StartOverride` was set to 3
    because the controller was absent when Windows last ran. Windows XP and 2003 know only the IDE controllers they have met: one from
    VMware, VirtualBox or Virtual PC (8086:7111) does not boot on QEMU's (8086:7010).

    ## Fix safety
    Safe if only start types or bindings of Windows' own drivers are wrong: `Start` and an existing `StartOverride` of the service become 0,
    as in a Windows that boots from such a controller, and the controller gets its key in `CriticalDeviceDatabase`, as in Microsoft's
    registry file for this purpose. A missing driver is added with `--virtio-win`, which is unsafe.

    ## References
    - Microsoft KB 314082, "You receive a Stop 0x0000007B error after you move the Windows XP system disk to another computer"
    - virt-v2v creates the service and its bindings itself: libguestfs-common `mlcustomize/inject_virtio_win.ml`.
    - virt-v2v(1), "Boot failure: 0x0000007B"
    - A StartOverride of 3 kept a driver from loading: Azure/SAP-on-Azure-Scripts-and-Utilities#147.
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)INACCESSIBLE.BOOT.DEVICE", r"(?i)\b0x0*7b\b")
    examples = (
        Example({_SYSTEM: Hive(_AHCI), **_FILE}, flags=(f"{_KEY}\\viostor",), severity=Severity.ERROR, title="no service at all"),
        Example(
            {_SYSTEM: Hive(_SERVICE + _BOUND)},
            flags=(f"{_KEY}\\viostor:ImagePath",),
            severity=Severity.ERROR,
            title="the service without its file",
        ),
        Example({_SYSTEM: Hive(_SERVICE), **_FILE}, flags=(f"{_KEY}\\viostor",), title="nothing tells Windows 10 for which device it is"),
        Example(
            {_SYSTEM: Hive(f'{_AHCI}[ControlSet001\\Services\\storahci\\StartOverride]\n"0"=dword:3\n'), **_FILE},
            target="virtualbox",
            flags=(f"{_KEY}\\storahci\\StartOverride:0",),
            severity=Severity.ERROR,
            fixed={_SYSTEM: Hive(f'{_AHCI}[ControlSet001\\Services\\storahci\\StartOverride]\n"0"=dword:0\n')},
            title="the SATA driver was put aside because there was no SATA controller",
        ),
        Example(
            {_SYSTEM: Hive(_AHCI), **_FILE},
            mover=Mover.VIRT_V2V,
            flags=(f"{_KEY}\\viostor",),
            severity=Severity.INFO,
            title="virt-v2v installs it",
        ),
        Example(
            {_SYSTEM: Hive(_SERVICE.replace("dword:0", "dword:3") + _SEEN), **_FILE},
            unknown=True,
            title="started on demand, but Windows has seen the device",
        ),
        Example({_SYSTEM: Hive(_SERVICE + _BOUND), **_FILE}),
        Example(
            {
                _SYSTEM: Hive(
                    _SERVICE + '[ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1001&REV_00]\n"Service"="viostor"\n'
                ),
                **_FILE,
            },
            given=(OsInfo("windows", "windows", "windows", "Windows 7 Professional", "6.1.7601", "x86_64"),),
        ),
        Example(
            {_SYSTEM: Hive(_IDE + _PIIX4), **_IDE_FILES},
            given=(_XP,),
            target="xen",
            flags=(f"{_SYSTEM}:{_CRITICAL}\\PCI#VEN_8086&DEV_7010",),
            severity=Severity.ERROR,
            fixed={_SYSTEM: Hive(_IDE + _PIIX4 + _PIIX3)},
            title="XP knows VMware's IDE controller, not QEMU's",
        ),
        Example(
            {_SYSTEM: Hive(_IDE + _PIIX4), **_IDE_FILES},
            given=(_XP,),
            mover=Mover.VIRT_V2V,
            flags=(f"{_SYSTEM}:{_CRITICAL}\\PCI#VEN_8086&DEV_7010",),
            severity=Severity.WARNING,
            title="virt-v2v attaches the disk of XP as IDE",
        ),
        Example({_SYSTEM: Hive(_IDE + _PIIX4), **_IDE_FILES}, given=(_XP,), target="vmware"),
        Example({_SYSTEM: Hive(_IDE + _GENERIC), **_IDE_FILES}, given=(_XP,), target="xen", title="any IDE controller, by its class"),
        Example({_SYSTEM: Hive(_AHCI), **_FILE}, target="virtualbox", title="Windows brings the SATA driver itself"),
    )

    def check(self, root: WindowsRootVerdict, os: OsInfo) -> Iterator[Finding | Unknown]:
        for cause in root.driver:
            driven = cause.about
            if driven is not None and cause.severity is None:
                yield self.unknown(cause.where, driven.driver.reason)
            elif driven is not None:
                message = f"no driver starts at boot for {driven.name}: {driven.driver.reason}"
                effect = _effect(driven.driver, os, driven.helped)
                yield self.finding(cause.where, message, effect, severity=cause.severity, fix=_fix(driven.driver))


def _fix(verdict: DriverVerdict) -> Fix | None:
    how = f"start {verdict.names} at boot" if verdict.bound else f"bind the controller to {verdict.services[-1]}"
    return Fix(how, Applicability.SAFE, verdict.repair) if verdict.repair else None


def _effect(verdict: DriverVerdict, os: OsInfo, helped: bool) -> str:
    stops = f"{os.name} stops with INACCESSIBLE_BOOT_DEVICE (0x7B)"
    if helped:
        return f"virt-v2v installs {verdict.names} if it has virtio-win, or attaches the disk to IDE; after a raw copy {stops}"
    return stops
