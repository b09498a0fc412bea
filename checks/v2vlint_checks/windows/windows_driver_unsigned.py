"""Rule windows-driver-unsigned."""

from collections.abc import Iterator

from v2vlint.api import (
    Content,
    Example,
    Finding,
    GuestFS,
    Hive,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    Target,
    Unknown,
    WholeFile,
    WindowsDrivers,
    WindowsServices,
    WindowsSystem,
    sample_driver,
    sample_unsigned_driver,
    signed_by,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_FILE = "/Windows/System32/drivers/viostor.sys"
_CATALOG = "/Windows/System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}/oem2.cat"
_HIVE = r"""
[ControlSet001\Services\viostor]
"Type"=dword:1
"Start"=dword:0
[DriverDatabase\DeviceIds\PCI\VEN_1AF4&DEV_1001]
"""
_BASE: dict[str, Content] = {_SYSTEM: Hive(_HIVE)}


class WindowsDriverUnsigned(Rule):
    """No signature was found for the driver of the target's disk controller.

    ## What it does
    On 64-bit Windows from Vista on, checks the boot-start storage driver for a signature: a certificate in the file, or its hash in the
    catalogs of added driver packages. Drivers shipped with Windows are skipped. The signer is not judged.

    ## Why it matters
    64-bit Windows does not load unsigned drivers and stops with 0xc0000428, unless configured otherwise (`testsigning`).

    ## References
    - Microsoft, "Driver Signing Policy"; "Catalog Files and Digital Signatures"
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    predicts = (r"0x0*c0000428",)
    examples = (
        Example({**_BASE, _FILE: sample_unsigned_driver()}, flags=(_FILE,), severity=Severity.INFO),
        Example(
            {**_BASE, _FILE: sample_unsigned_driver(), _CATALOG: sample_unsigned_driver(catalog=True)}, title="its hash is in a catalog"
        ),
        Example({**_BASE, _FILE: sample_unsigned_driver(signed=True)}, title="signed itself"),
        Example({**_BASE, _FILE: sample_driver()}, title="no place for a signature: it cannot be told"),
        Example(
            {**_BASE, _FILE: sample_unsigned_driver()},
            given=(OsInfo("windows", "windows", "windows", "Windows XP", "5.1.2600", "i386"),),
            title="Windows XP",
        ),
    )

    def check(
        self, drivers: WindowsDrivers, services: WindowsServices, system: WindowsSystem, fs: GuestFS, os: OsInfo, target: Target
    ) -> Iterator[Finding | Unknown]:
        if os.arch == "i386" or (0, 0) < system.version < (6, 0):
            raise NotApplicable("only 64-bit Windows from Vista on requires signatures")
        for controller in target.controllers:
            verdict = drivers.controller(controller)
            for service in services.named(*verdict.services) if verdict.usable and drivers.is_added(verdict) else ():
                if signed_by(fs.as_it_lies(), service.image, os.system_root) == "":
                    message = f"no signature was found for {service.name}, which drives {controller.name}"
                    effect = "Windows may refuse it at boot (0xc0000428)"
                    yield self.finding(WholeFile(service.image), message, effect)
