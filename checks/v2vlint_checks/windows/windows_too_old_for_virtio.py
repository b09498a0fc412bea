"""Rule windows-too-old-for-virtio."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Example,
    Finding,
    Hive,
    Mover,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    Target,
    WindowsDrivers,
    WindowsSystem,
    sample_driver,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_XP = OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386")
_SERVICES = "ControlSet001\\Services"
_VIOSTOR = f'[{_SERVICES}\\viostor]\n"Type"=dword:1\n"Start"=dword:0\n' + (
    '[ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1001]\n"Service"="viostor"\n'
)


class WindowsTooOldForVirtio(Rule):
    """Current virtio drivers do not support this version of Windows.

    ## What it does
    For Windows XP, 2003, Vista and Server 2008 on targets with virtio disks, if no boot driver for them is installed.

    ## Why it matters
    The drivers must come from an old release of virtio-win. With a current one, virt-v2v finds none and attaches the disk to IDE and an
    rtl8139 network card, both slow.

    ## References
    - libguestfs-common `mlcustomize/inject_virtio_win.ml`; Forklift's list of systems that need the old ISO (`legacyIdentifiers`)
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(f"[{_SERVICES}]\n")}, given=(_XP,), flags=(f"{_SYSTEM}:{_SERVICES}\\viostor",), severity=Severity.WARNING),
        Example({_SYSTEM: Hive(f"[{_SERVICES}]\n")}, given=(_XP,), mover=Mover.VIRT_V2V, flags=(f"{_SYSTEM}:{_SERVICES}\\viostor",)),
        Example(
            {_SYSTEM: Hive(_VIOSTOR), "/Windows/System32/drivers/viostor.sys": sample_driver("i386")},
            given=(_XP,),
            title="it has one already",
        ),
        Example({_SYSTEM: Hive(f"[{_SERVICES}]\n")}, title="Windows 10"),
        Example({_SYSTEM: Hive(f"[{_SERVICES}]\n")}, given=(_XP,), target="vmware"),
    )

    def check(
        self, drivers: WindowsDrivers, system: WindowsSystem, os: OsInfo, target: Target, conversion: Conversion
    ) -> Iterator[Finding]:
        if not (0, 0) < system.version < (6, 1):
            raise NotApplicable("virtio drivers support it")
        for controller in target.controllers:
            verdict = drivers.controller(controller)
            if verdict.usable is False and set(verdict.services) & {"viostor", "vioscsi"}:
                slow = "virt-v2v attaches the disk to IDE unless it is given an old virtio-win" if conversion.fits else ""
                effect = slow or "use the driver from an old release of virtio-win, or attach the disk to IDE"
                yield self.finding(verdict.where, f"current releases of virtio-win have no {verdict.names} for {os.name}", effect)
