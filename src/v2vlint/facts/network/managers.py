"""Which network managers the guest has, and which of them run."""

from __future__ import annotations

from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.interface import Manager
from v2vlint.facts.network.nm_conf import NmConf
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_PROGRAMS = {
    Manager.NETWORKD: ("/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"),
    Manager.NETWORK_MANAGER: ("/usr/sbin/NetworkManager", "/usr/bin/NetworkManager", "/sbin/NetworkManager"),
    Manager.IFUPDOWN: ("/sbin/ifup", "/usr/sbin/ifup", "/usr/bin/ifup"),
    Manager.NETWORK_SCRIPTS: ("/etc/sysconfig/network-scripts/ifup-eth",),
    Manager.WICKED: ("/usr/sbin/wicked", "/usr/sbin/wickedd", "/etc/sysconfig/network/scripts"),
    Manager.NETPLAN: (
        "/usr/sbin/netplan", "/lib/netplan/generate", "/usr/lib/netplan/generate", "/usr/libexec/netplan/generate",
        "/usr/lib/systemd/system-generators/netplan", "/lib/systemd/system-generators/netplan",
    ),
    Manager.NETIFRC: ("/lib/netifrc", "/usr/lib/netifrc", "/lib/rc/net"),
    Manager.DHCPCD: ("/sbin/dhcpcd", "/usr/sbin/dhcpcd", "/usr/bin/dhcpcd"),
}  # fmt: skip
_SERVICES = {
    Manager.NETWORKD: ("systemd-networkd.service", "systemd-networkd.socket"),
    Manager.NETWORK_MANAGER: ("NetworkManager", "network-manager"),
    Manager.IFUPDOWN: ("networking", "ifupdown", "network-interface.conf"),
    Manager.NETWORK_SCRIPTS: ("network",),
    Manager.WICKED: ("wicked", "network"),
    Manager.DHCPCD: ("dhcpcd",),
}
_IFCFG_PLUGIN = "libnm-settings-plugin-ifcfg-rh.so"


@dataclass(frozen=True, slots=True)
class NetManagers:
    """``active`` maps each manager to whether it runs; a manager is missing from it when the guest does not show that.

    ``nm_reads_ifcfg`` says the same of NetworkManager's plugin for Red Hat's ifcfg files.
    """

    active: tuple[tuple[Manager, bool], ...] = ()
    nm_reads_ifcfg: bool | None = None

    def runs(self, manager: Manager) -> bool | None:
        """Whether ``manager`` configures interfaces at boot."""
        return dict(self.active).get(manager)


@provides
def parse_net_managers(fs: GuestFS, services: Services, nm_conf: NmConf) -> NetManagers:
    """Decide by the guest's programs and enabled services. Without an init or any program that configures cards, nothing is known."""
    if not services.init or not any(fs.exists(path) for paths in _PROGRAMS.values() for path in paths):
        return NetManagers()
    active = tuple((manager, _runs(fs, services, manager)) for manager in Manager)
    return NetManagers(active, _has_plugin(fs) and nm_conf.reads_ifcfg)


def _runs(fs: GuestFS, services: Services, manager: Manager) -> bool:
    if not any(fs.exists(path) for path in _PROGRAMS[manager]):
        return False
    if manager is Manager.NETIFRC:
        return any(name.startswith("net.") for name in services.enabled)
    # It is a systemd generator, which no unit enables.
    if manager is Manager.NETPLAN:
        return True
    # Upstart's jobs for ifupdown start on events; nothing has to enable them.
    if manager is Manager.IFUPDOWN and services.init == "upstart":
        return True
    return bool(services.starts(*_SERVICES[manager]))


def _has_plugin(fs: GuestFS) -> bool:
    for folder in ("/usr/lib64/NetworkManager", "/usr/lib/NetworkManager", "/usr/lib/x86_64-linux-gnu/NetworkManager"):
        if fs.exists(f"{folder}/{_IFCFG_PLUGIN}") or fs.glob(f"{folder}/*/{_IFCFG_PLUGIN}"):
            return True
    return False
