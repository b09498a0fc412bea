"""The identity and state of a Windows: domain, activation, time source, unfinished setup, page files."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.drives import Drives
from v2vlint.facts.windows.registry import Registry, RegistryNode, RegistryValue
from v2vlint.facts.windows.services import DISABLED, WindowsServices
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey

_VERSION = "Microsoft\\Windows NT\\CurrentVersion"
_PROTECTION = ("Policies\\Microsoft\\Windows NT\\CurrentVersion\\Software Protection Platform", f"{_VERSION}\\SoftwareProtectionPlatform")
_STATE = "Microsoft\\Windows\\CurrentVersion\\Setup\\State"
_COMPLETE = "IMAGE_STATE_COMPLETE"
_ANSWERS = ("Panther/unattend.xml", "Panther/Unattend/unattend.xml", "System32/Sysprep/unattend.xml")
_AUTOMATIC_KEYS = frozenset({
    "Y4TGP", "DBGBW", "K2XGM", "TMJ3Y", "C3RCX", "B4YNW", "H3RNG", "TNK62", "2CTP7", "W3GNR", "YDFWN", "YQB4H", "WWVGQ",
})  # fmt: skip
"""The prefix of Microsoft's public keys for automatic activation (AVMA) of Windows Server."""


@dataclass(frozen=True, slots=True)
class Activation:
    """How Windows is activated: ``kind`` is ``KMS``, ``OEM`` or ``AVMA``, with the KMS host in ``server``."""

    kind: str
    where: RegistryKey
    server: str = ""


@dataclass(frozen=True, slots=True)
class SetupState:
    """What the next boot does instead of a logon: ``audit``, ``oobe`` (first-run setup) or ``setup``. ``answered``: a file answers."""

    kind: str
    where: RegistryKey
    answered: bool


@dataclass(frozen=True, slots=True)
class TimeSource:
    """The time source: ``servers`` without their flags; ``kind`` in W32Time's terms (``NTP``, ``NT5DS``, ``NoSync``)."""

    kind: str
    servers: tuple[str, ...]
    disabled: bool
    where: RegistryKey


@dataclass(frozen=True, slots=True)
class WindowsIdentity:
    """``domain`` is the Active Directory domain with its place, None outside one; ``controller`` says that it is a domain controller.
    ``lost_page_files`` are drives with a page file that are on none of the disks. ``image_state`` is what Sysprep and Setup say of it."""

    domain: RegistryValue | None
    controller: RegistryKey | None
    activation: tuple[Activation, ...]
    setup: SetupState | None
    time: TimeSource | None
    lost_page_files: tuple[tuple[str, RegistryKey], ...]
    image_state: RegistryValue | None = None


@provides
def parse_identity(registry: Registry, services: WindowsServices, drives: Drives, fs: GuestFS, os: OsInfo) -> WindowsIdentity:
    """Read all of it from the registry."""
    product = registry.control("Control\\ProductOptions")
    kind = product.value("ProductType") if product else None
    return WindowsIdentity(
        _domain(registry, services),
        kind.where if kind and kind.text.lower() == "lanmannt" else None,
        tuple(_activation(registry)),
        _setup(registry, fs, os),
        _time(registry, services),
        tuple(_page_files(registry, drives)),
        _image_state(registry),
    )


def _image_state(registry: Registry) -> RegistryValue | None:
    state = registry.soft(_STATE)
    value = state.value("ImageState") if state else None
    return value if value is not None and value.text else None


def _domain(registry: Registry, services: WindowsServices) -> RegistryValue | None:
    """A member runs Netlogon; a DNS suffix alone does not make a member."""
    netlogon, tcpip = services.get("Netlogon"), registry.control("Services\\Tcpip\\Parameters")
    joined = registry.control("Services\\Netlogon\\Parameters") is not None and netlogon is not None and netlogon.effective == 2
    domain = next((one for name in ("Domain", "NV Domain") if tcpip and (one := tcpip.value(name)) and one.text), None)
    return domain if joined else None


def _activation(registry: Registry) -> Iterator[Activation]:
    for path in _PROTECTION:
        node = registry.soft(path)
        server = node.value("KeyManagementServiceName") if node else None
        if server is not None and server.text:
            yield Activation("KMS", server.where, server.text)
            break
    node, version = registry.soft(_PROTECTION[1]), registry.soft(_VERSION)
    key = node.value("BackupProductKeyDefault") if node else None
    if key is not None and key.text[:5].upper() in _AUTOMATIC_KEYS:
        yield Activation("AVMA", key.where)
    product = version.value("ProductId") if version else None
    if product is not None and "OEM" in product.text.upper():  # 00371-OEM-… up to Windows 7, …-AAOEM since 8
        yield Activation("OEM", product.where)


def _setup(registry: Registry, fs: GuestFS, os: OsInfo) -> SetupState | None:
    answered = any(fs.is_file(f"{os.system_root}/{name}") for name in _ANSWERS)
    status, image = registry.system.key("Setup\\Status"), _image_state(registry)
    audit = status.value("AuditBoot") if status else None
    if audit is not None and audit.number:
        return SetupState("audit", audit.where, answered)
    if image is not None and image.text.upper() != _COMPLETE:
        return SetupState("audit" if image.text.upper().endswith("AUDIT") else "oobe", image.where, answered)
    return _unfinished(registry.system.key("Setup"), answered)


def _unfinished(setup: RegistryNode | None, answered: bool) -> SetupState | None:
    for name, kind in (("OOBEInProgress", "oobe"), ("SystemSetupInProgress", "setup")):
        value = setup.value(name) if setup else None
        if value is not None and value.number:
            return SetupState(kind, value.where, answered)
    return None


def _time(registry: Registry, services: WindowsServices) -> TimeSource | None:
    service, node = services.get("W32Time"), registry.control("Services\\W32Time\\Parameters")
    if service is None and node is None:
        return None
    kind, servers = (node.text("Type"), node.text("NtpServer")) if node else ("", "")
    where = registry.place("Services\\W32Time\\Parameters", "NtpServer" if servers else "Type")
    disabled = service is not None and service.effective == DISABLED
    place = service.place("Start") if service is not None and disabled else where
    return TimeSource(kind, tuple(one.partition(",")[0] for one in servers.split()), disabled, place)


def _page_files(registry: Registry, drives: Drives) -> Iterator[tuple[str, RegistryKey]]:
    memory = registry.control("Control\\Session Manager\\Memory Management")
    files = memory.value("PagingFiles") if memory else None
    for text in files.texts if files else ():
        letter = text[:1].upper()
        if files and text[1:2] == ":" and letter.isalpha() and drives.is_lost(letter):
            yield letter, files.where
