"""Settings of Windows that matter in a move: hibernation, clock, disks, pending restarts, group policies, signing updates."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry, RegistryNode, RegistryValue, subkeys
from v2vlint.facts.windows.time_zone import posix_zone, signed
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey

HIBERFIL = "/hiberfil.sys"
_SETUP = "Microsoft\\Windows\\CurrentVersion"
_SESSION = "Control\\Session Manager"
_PENDING = (
    (f"{_SETUP}\\WindowsUpdate\\Auto Update\\RebootRequired", "Windows Update"),
    (f"{_SETUP}\\Component Based Servicing\\RebootPending", "component servicing"),
)
_PACKAGES = f"{_SETUP}\\Component Based Servicing\\Packages"
_SHA2 = ("KB3033929", "KB4474419", "KB4490628")  # each lets Windows 7 accept signatures with SHA-2
_RESTRICTIONS = "Policies\\Microsoft\\Windows\\DeviceInstall\\Restrictions"
_HARMLESS = frozenset({"allowadmininstall", "deniedpolicycaption", "deniedpolicytext", "allowdenylayered"})


@dataclass(frozen=True, slots=True)
class PendingReboot:
    """A pending restart: what it is for, and where it is recorded."""

    what: str
    where: RegistryKey


@dataclass(frozen=True, slots=True)
class WindowsSystem:
    """``version`` is (6, 1) for Windows 7 and Server 2008 R2, (10, 0) for everything after 8.1; (0, 0) when unknown.

    ``hibernated`` says that hiberfil.sys contains a system to resume. ``fast_startup`` is the HiberbootEnabled value when it is enabled.
    ``san_policy`` is None when the edition's default applies. ``utc_clock`` says that Windows keeps the hardware clock in UTC, ``bias`` is
    the number of minutes its time zone is west of UTC, ``zone`` that zone as a TZ variable, empty when not known. ``sha2`` is None where it
    does not matter.
    """

    version: tuple[int, int]
    server: bool
    edition: str
    hibernated: bool
    fast_startup: RegistryValue | None
    san_policy: int | None
    san_where: RegistryKey
    san_value: RegistryValue | None
    utc_clock: bool
    bias: int
    zone: str
    clock_where: RegistryKey
    pending: tuple[PendingReboot, ...]
    restrictions: tuple[RegistryValue, ...]
    script_policy: RegistryValue | None
    sha2: bool | None
    packages_where: RegistryKey


def is_hibernated(fs: GuestFS) -> bool:
    """Whether the boot manager finds a system to resume. It reads the file before ``$LogFile`` is replayed."""
    return (fs.as_it_lies().head(HIBERFIL, 4) or b"").lower() == b"hibr"


@provides
def parse_system(fs: GuestFS, registry: Registry, os: OsInfo) -> WindowsSystem:
    """Read all of it; missing values have their defaults."""
    version = windows_version(os)
    clock = registry.control("Control\\TimeZoneInformation")
    power = registry.control(f"{_SESSION}\\Power")
    fast = power.value("HiberbootEnabled") if power else None
    san = registry.control("Services\\partmgr\\Parameters")
    setup = registry.soft("Microsoft\\Windows NT\\CurrentVersion")
    return WindowsSystem(
        version=version,
        server="server" in os.name.lower() or bool(setup and setup.text("InstallationType").lower().startswith("server")),
        edition=setup.text("EditionID") if setup else "",
        hibernated=is_hibernated(fs),
        fast_startup=fast if fast and fast.number else None,
        san_policy=san.number("SanPolicy") if san else None,
        san_where=registry.place("Services\\partmgr\\Parameters", "SanPolicy"),
        san_value=san.value("SanPolicy") if san else None,
        utc_clock=bool(clock and clock.number("RealTimeIsUniversal")),
        bias=_bias(clock),
        zone=posix_zone(clock),
        clock_where=registry.place("Control\\TimeZoneInformation", "RealTimeIsUniversal"),
        pending=tuple(_pending(registry)),
        restrictions=tuple(_restrictions(registry)),
        script_policy=_script_policy(registry),
        sha2=_sha2(registry) if version == (6, 1) else None,
        packages_where=registry.soft_place(_PACKAGES),
    )


def windows_version(os: OsInfo) -> tuple[int, int]:
    """The NT version, or (0, 0)."""
    parts = os.version.split(".")
    return (decimal(parts[0]), decimal(parts[1])) if len(parts) > 1 and parts[0].isdecimal() and parts[1].isdecimal() else (0, 0)


def _bias(clock: RegistryNode | None) -> int:
    """Minutes that local time is behind UTC, with daylight saving where it is in force; 0 may be just that."""
    active = clock.number("ActiveTimeBias") if clock else None
    return signed(active if active is not None or clock is None else clock.number("Bias"))


def _pending(registry: Registry) -> Iterator[PendingReboot]:
    for path, what in _PENDING:
        key = registry.soft(path)
        if key is not None:
            yield PendingReboot(what, key.where)
    session = registry.control(_SESSION)
    renames = session.value("PendingFileRenameOperations") if session else None
    if renames is not None and renames.texts:
        yield PendingReboot("files to be replaced", renames.where)


def _restrictions(registry: Registry) -> Iterator[RegistryValue]:
    """The policies that restrict the installation of devices or drivers."""
    key = registry.soft(_RESTRICTIONS)
    for value in key.values() if key else ():
        if value.number and value.name.lower() not in _HARMLESS and value.name.lower().startswith("deny"):
            yield value


def _script_policy(registry: Registry) -> RegistryValue | None:
    """The group policy that blocks unsigned PowerShell scripts, if there is one."""
    key = registry.soft("Policies\\Microsoft\\Windows\\PowerShell")
    enabled, policy = (key.value("EnableScripts"), key.value("ExecutionPolicy")) if key else (None, None)
    if enabled is not None and enabled.number == 0:
        return enabled
    return policy if policy is not None and policy.text.lower() in ("allsigned", "restricted") else None


def _sha2(registry: Registry) -> bool:
    packages = subkeys(registry.soft(_PACKAGES))
    return any(name in key.name for key in packages for name in _SHA2)
