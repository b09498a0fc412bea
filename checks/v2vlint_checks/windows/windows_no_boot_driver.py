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


class WindowsNoBootDriver(Rule):
    """Windows has no driver that starts at boot for the target's disk controller.

    ## What it does
    Looks up the services that can drive each disk controller of the target (`viostor` for virtio-blk, `vioscsi` for virtio-scsi, `storahci`
    or `msahci` for SATA, `stornvme` for NVMe, `storvsc` for Hyper-V, `pvscsi` for VMware…) in the control set that boots. A service counts
    when it starts at boot (`Start` is 0 and no `StartOverride` says otherwise), its file exists and, for drivers that Windows does not
    bring, a device ID is bound to it in `CriticalDeviceDatabase` or `DriverDatabase`.

    ## Why it matters
    The boot loader reads the disk through the firmware; the kernel then finds no way to it and stops with INACCESSIBLE_BOOT_DEVICE (0x7B).
    A driver package that is only staged does not help: it has no service yet. Neither does a service whose `StartOverride` was set to 3
    because the controller was absent when Windows ran last.

    ## Fix safety
    Safe where only start types are in the way: the service gets `Start` and an existing `StartOverride` 0, as Windows has them for a
    controller it starts from. A driver that is absent comes from `--virtio-win`, which is unsafe.

    ## References
    - virt-v2v makes the service and its bindings itself: libguestfs-common `mlcustomize/inject_virtio_win.ml`.
    - virt-v2v(1), "Boot failure: 0x0000007B"
    - A StartOverride of 3 kept a driver from loading: Azure/SAP-on-Azure-Scripts-and-Utilities#147.
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    kinds = frozenset({"windows"})
    predicts = (r"(?i)INACCESSIBLE.BOOT.DEVICE", r"0x0000007B", r"(?i)stop code:? 0x7b")
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
            {_SYSTEM: Hive(_SERVICE + "[ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1001&REV_00]\n"), **_FILE},
            given=(OsInfo("windows", "windows", "windows", "Windows 7 Professional", "6.1.7601", "x86_64"),),
        ),
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
    return Fix(f"have {verdict.names} start at boot", Applicability.SAFE, verdict.repair) if verdict.repair else None


def _effect(verdict: DriverVerdict, os: OsInfo, helped: bool) -> str:
    stops = f"{os.name} stops with INACCESSIBLE_BOOT_DEVICE (0x7B)"
    if helped:
        return f"virt-v2v installs {verdict.names} where it has virtio-win, else it attaches the disk as IDE; after a raw copy {stops}"
    return stops
