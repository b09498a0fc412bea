"""Remote access to Windows: Remote Desktop, WinRM, SSH; and whether it requests an address at all."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.firewall import Opening, WindowsFirewall
from v2vlint.facts.windows.registry import Registry, RegistryNode
from v2vlint.facts.windows.services import AUTO, DISABLED, WindowsService, WindowsServices
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import RegistryKey

_TERMINAL = "Control\\Terminal Server"
_LISTENER = f"{_TERMINAL}\\WinStations\\RDP-Tcp"
_POLICY = "Policies\\Microsoft\\Windows NT\\Terminal Services"
_DESKTOP, _WINRM, _SSH = 3389, 5985, 22


@dataclass(frozen=True, slots=True)
class RemoteWay:
    """A means of access. ``on`` says that it is enabled, ``off_because`` why not; ``opening`` is what the firewall allows."""

    name: str
    port: int
    on: bool
    off_because: str
    where: RegistryKey
    opening: Opening

    @property
    def is_open(self) -> bool:
        """Whether anybody can use it."""
        return self.on and self.opening.wide


@dataclass(frozen=True, slots=True)
class WindowsAccess:
    """``desktop`` is None where the registry does not mention it. ``others`` are other enabled means of access. ``one_adapter`` is the
    setting that binds Remote Desktop to one network adapter. ``no_dhcp`` is the DHCP client service when it is disabled."""

    desktop: RemoteWay | None
    others: tuple[RemoteWay, ...]
    one_adapter: RegistryKey | None
    no_dhcp: WindowsService | None


@provides
def parse_access(registry: Registry, services: WindowsServices, firewall: WindowsFirewall) -> WindowsAccess:
    """Read all of it from the registry."""
    listener = registry.control(_LISTENER)
    adapter = listener.value("LanAdapter") if listener else None
    dhcp = services.get("Dhcp")
    return WindowsAccess(
        _desktop(registry, services, firewall, listener),
        tuple(_others(services, firewall)),
        adapter.where if adapter and adapter.number else None,
        dhcp if dhcp and dhcp.effective == DISABLED else None,
    )


def _desktop(registry: Registry, services: WindowsServices, firewall: WindowsFirewall, listener: RegistryNode | None) -> RemoteWay | None:
    own, policy = registry.control(_TERMINAL), registry.soft(_POLICY)
    values = [value for node in (policy, own) if node and (value := node.value("fDenyTSConnections"))]  # group policy takes precedence
    if not values:
        return None
    port = (listener.number("PortNumber") if listener else None) or _DESKTOP
    service, where = services.get("TermService"), values[0].where
    because = ""
    if values[0].number:
        because = "fDenyTSConnections is set"
    elif service is not None and service.effective == DISABLED:
        because, where = "its service TermService is disabled", service.place("Start")
    elif listener is not None and listener.number("fEnableWinStation") == 0:
        because, where = "its listener is disabled", RegistryKey(listener.path, listener.key_path, "fEnableWinStation")
    return RemoteWay("Remote Desktop", port, not because, because, where, firewall.tcp(port))


def _others(services: WindowsServices, firewall: WindowsFirewall) -> list[RemoteWay]:
    found = []
    for name, title, port in (("WinRM", "WinRM", _WINRM), ("sshd", "SSH", _SSH)):
        service = services.get(name)
        if service is not None and service.effective == AUTO:
            found.append(RemoteWay(title, port, True, "", service.where, firewall.tcp(port)))
    return found
