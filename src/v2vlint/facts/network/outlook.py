"""The guest's network as one: which managers run, what they configure, and what becomes of it on other hardware."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from v2vlint.facts.network.card_wishes import CardNames
from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.facts.network.ifcfg import Ifcfg
from v2vlint.facts.network.ifupdown import Interfaces
from v2vlint.facts.network.interface import InterfaceConfig, Manager, Method
from v2vlint.facts.network.managers import NetManagers
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob, is_vmware_name, matches, parent_name
from v2vlint.facts.network.netifrc import Netifrc
from v2vlint.facts.network.netplan import Netplan
from v2vlint.facts.network.networkd import Networkd
from v2vlint.facts.network.nm_conf import NmConf
from v2vlint.facts.network.nm_keyfile import NmKeyfiles
from v2vlint.facts.network.systemd_link import SystemdLinks
from v2vlint.facts.network.udev_net import UdevNet, UdevNetRule
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span, Token, Where, WholeFile
from v2vlint.model.target import Target

_RENAME_DEVICE = ("/lib/udev/rename_device", "/usr/lib/udev/rename_device")
_NO_CARD = frozenset({"loopback", "wifi", "wwan", "modem", "vpn", "tunnel", "dummy", "veth", "other", "infiniband"})
_PCI_NAMES = {
    "kvm": ("enp1s0", "ens3", "ens18", "enp0s3", "enp6s18"),
    "vmware": ("ens192", "ens160", "ens33", "enp11s0"),
    "virtualbox": ("enp0s3",),
}
_BUS_NAMES = {"hyperv": ("eth0",), "xen": ("eth0", "enX0", "ens3")}


class Survival(enum.IntEnum):
    """Whether something still works on the target: surely not, perhaps, surely."""

    LOST = 0
    UNSURE = 1
    KEPT = 2


@dataclass(frozen=True, slots=True)
class NamePin:
    """Something that gives a card a fixed name. With neither ``mac`` nor ``hardware`` it applies to any card.

    ``known_there`` says that the user told the address to be that of a card on the target.
    """

    name: Token
    where: Where
    mac: Token | None = None
    hardware: tuple[Token, ...] = ()
    known_there: bool = False

    def holds(self, target: Target) -> bool:
        """Whether it still finds its card on ``target``."""
        return not self.hardware and (self.mac is None or target.keeps_mac or self.known_there)


@dataclass(frozen=True, slots=True)
class NetworkOutlook:
    """What becomes of the guest's network: how sure, why, and the place that decides it."""

    survival: Survival
    reason: str
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The network configuration that is really in force.

    ``interfaces`` are those of managers that run (or that may, where the guest does not tell: then ``certain`` is false); ``unread`` are
    configurations whose manager does not run. ``pins`` give cards fixed names; ``policy`` names the others. ``fallback`` says what brings
    up a card that nothing mentions, or is empty.
    """

    interfaces: tuple[InterfaceConfig, ...] = ()
    unread: tuple[InterfaceConfig, ...] = ()
    pins: tuple[NamePin, ...] = ()
    policy: NamePolicy = NamePolicy(None, WholeFile("/etc"), "not known")
    managers: NetManagers = NetManagers()
    renames_new_cards: Where | None = None
    fallback: str = ""
    cloud_init_writes: bool = False
    certain: bool = False

    @property
    def cards(self) -> tuple[InterfaceConfig, ...]:
        """The configurations of network cards that come up by themselves, bond members and bridge ports included."""
        return tuple(interface for interface in self.interfaces if not interface.is_virtual and interface.autostart)

    @property
    def addressed(self) -> tuple[InterfaceConfig, ...]:
        """The interfaces that come up by themselves and get an address, cards or not; loopback and tunnels are none of them."""
        return tuple(i for i in self.interfaces if i.autostart and i.method is not Method.NONE and i.kind not in _NO_CARD)

    def named(self, name: str) -> InterfaceConfig | None:
        """The configuration that others call ``name``: by interface name, netplan id, or a profile's id or UUID."""
        for interface in self.interfaces:
            if name in interface.ids or any(token.value == name for token in interface.names):
                return interface
        return None

    def pin_of(self, name: str) -> NamePin | None:
        """What gives a card this name, if something does."""
        return next((pin for pin in self.pins if pin.name.value == parent_name(name)), None)

    def name_survival(self, name: str, target: Target) -> Survival:
        """Whether a card is still called ``name`` (or fits it, if it is a wildcard) on ``target``."""
        if name.startswith("!") or target.keeps_pci:
            return Survival.KEPT
        if is_glob(name):
            return self._glob_survival(name, target)
        pins = [pin for pin in self.pins if pin.name.value == parent_name(name)]
        if any(pin.holds(target) for pin in pins):
            return Survival.KEPT
        if pins and self.renames_new_cards is not None:
            return Survival.LOST
        return self._unpinned(name, target)

    def _unpinned(self, name: str, target: Target) -> Survival:
        kind = ifname_kind(name)
        if kind in (IfNameKind.VIRTUAL, IfNameKind.CUSTOM):
            return Survival.UNSURE if self.pin_of(name) else Survival.KEPT
        if kind is IfNameKind.KERNEL:
            return self._kernel_name(name, target)
        if self.policy.predictable is False and kind is not IfNameKind.BIOSDEVNAME:
            return Survival.KEPT
        if kind is IfNameKind.MAC:
            return Survival.UNSURE if target.keeps_mac else Survival.LOST
        if kind is IfNameKind.XEN:
            return Survival.KEPT if target.hypervisor == "xen" else Survival.LOST
        return self._place_name(name, kind, target)

    def _kernel_name(self, name: str, target: Target) -> Survival:
        if not name.startswith("eth") or self.policy.predictable is not True or target.hypervisor == "hyperv":
            return Survival.KEPT
        return Survival.UNSURE if target.hypervisor == "xen" else Survival.LOST

    def _place_name(self, name: str, kind: IfNameKind, target: Target) -> Survival:
        if kind is IfNameKind.BIOSDEVNAME or target.hypervisor in ("any", "hyperv"):
            return Survival.LOST
        return Survival.LOST if is_vmware_name(parent_name(name)) and target.hypervisor != "vmware" else Survival.UNSURE

    def _glob_survival(self, pattern: str, target: Target) -> Survival:
        fits = [matches(pattern, name) for name in self.usual_names(target)]
        return Survival.KEPT if all(fits) else Survival.UNSURE if any(fits) else Survival.LOST

    def usual_names(self, target: Target) -> tuple[str, ...]:
        """Names that the first card usually gets on ``target``, as this guest names cards."""
        if self.policy.predictable is False:
            return ("eth0",)
        if target.hypervisor in _BUS_NAMES:
            return _BUS_NAMES[target.hypervisor]
        if target.hypervisor in _PCI_NAMES:
            return _PCI_NAMES[target.hypervisor]
        return tuple(name for names in (*_PCI_NAMES.values(), *_BUS_NAMES.values()) for name in names)

    def survival(self, interface: InterfaceConfig, target: Target) -> Survival:
        """Whether ``interface`` still finds its card (or one of the cards below it) on ``target``."""
        return self._survival(interface, target, frozenset())

    def _survival(self, interface: InterfaceConfig, target: Target, seen: frozenset[Span]) -> Survival:
        if interface.is_virtual:
            below = [self._use(token, target, seen | {interface.where}) for token in interface.uses]
            return max(below, default=Survival.KEPT)
        bound: list[Survival] = [max((self.name_survival(n.value, target) for n in interface.names), default=Survival.KEPT)]
        if interface.mac is not None and not target.keeps_mac:
            bound.append(Survival.LOST)
        return min(*bound, self.hardware_survival(interface.hardware, target))

    def hardware_survival(self, hardware: tuple[Token, ...], target: Target) -> Survival:
        """Whether a card of ``target`` fits all the drivers and bus paths asked for."""
        return min((_hardware_survival(token.value, target) for token in hardware), default=Survival.KEPT)

    def _use(self, token: Token, target: Target, seen: frozenset[Span]) -> Survival:
        below = self.named(token.value)
        if below is None or below.where in seen:
            return self.name_survival(token.value, target)
        return self._survival(below, target, seen)

    def outlook(self, target: Target) -> NetworkOutlook:
        """Whether the guest is still reachable on ``target``, as far as names and addresses of its cards go."""
        ways = tuple(way for way in self.addressed if not way.is_virtual or way.uses)
        if not ways:
            if self.fallback:
                return NetworkOutlook(Survival.KEPT, self.fallback)
            return NetworkOutlook(Survival.UNSURE, "no interface is configured to come up")
        best = max(ways, key=lambda way: self.survival(way, target))
        survival = self.survival(best, target)
        if survival is Survival.KEPT:
            return NetworkOutlook(survival, f"{best.label} comes up by {best.manager}", best.where)
        if self.fallback or self.cloud_init_writes:
            return NetworkOutlook(Survival.UNSURE, self.fallback or "cloud-init may write a new configuration", best.where)
        certain = survival is Survival.LOST and self.certain and len(ways) == len(self.addressed)
        reason = f"{best.manager} waits for {best.label}, which {'does not' if certain else 'may not'} exist there"
        return NetworkOutlook(Survival.LOST if certain else Survival.UNSURE, reason, best.where)

    def cut_off(self, target: Target) -> bool:
        """Whether it is certain that no configured interface comes up on ``target``."""
        return self.outlook(target).survival is Survival.LOST


def _hardware_survival(value: str, target: Target) -> Survival:
    """A driver name or a bus path that a configuration asks for."""
    drivers = {module for nic in target.nics for modules in nic.any_of for module in modules}
    if value.replace("-", "_") in drivers or value in ("*", "?*"):
        return Survival.KEPT
    if "-" in value and any(char.isdigit() for char in value):
        return Survival.KEPT if target.keeps_pci else Survival.UNSURE
    if is_glob(value) or value.startswith("!"):
        return Survival.UNSURE
    return Survival.LOST


@dataclass(frozen=True, slots=True)
class _Configured:
    """What each manager's files configure, before asking which manager runs."""

    interfaces: tuple[InterfaceConfig, ...]


@provides
def collect_interfaces(
    managers: NetManagers,
    networkd: Networkd,
    keyfiles: NmKeyfiles,
    netplan: Netplan,
    ifupdown: Interfaces,
    ifcfg: Ifcfg,
    netifrc: Netifrc,
) -> _Configured:
    """All configurations, ifcfg files attributed to the program that reads them; NetworkManager takes no name from a file's name."""
    found = (*networkd.interfaces, *keyfiles.interfaces, *netplan.interfaces, *ifupdown.interfaces, *netifrc.interfaces)
    return _Configured((*found, *_ifcfg_readers(ifcfg, managers)))


def _ifcfg_readers(ifcfg: Ifcfg, managers: NetManagers) -> Iterator[InterfaceConfig]:
    scripts, nm = managers.runs(Manager.NETWORK_SCRIPTS), managers.runs(Manager.NETWORK_MANAGER)
    for file in ifcfg.files:
        by_nm = nm and managers.nm_reads_ifcfg and file.nm_controlled
        if file.interface.manager is Manager.NETWORK_SCRIPTS and by_nm and not scripts:
            written = tuple(name for name in file.interface.names if name.where.end > name.where.start)
            yield replace(file.interface, manager=Manager.NETWORK_MANAGER, names=written)
        else:
            yield file.interface


@provides
def parse_network(
    fs: GuestFS,
    configured: _Configured,
    managers: NetManagers,
    policy: NamePolicy,
    links: SystemdLinks,
    udev: UdevNet,
    nm_conf: NmConf,
    netplan: Netplan,
    cloud_init: CloudInit,
    os: OsInfo,
    names: CardNames,
) -> Network:
    """The network of the guest, over every manager that runs or may run."""
    live = tuple(interface for interface in configured.interfaces if managers.runs(interface.manager) is not False)
    unread = tuple(interface for interface in configured.interfaces if managers.runs(interface.manager) is False)
    pins = _pins(fs, live, links, () if _ignores_udev_names(os) else udev.rules, managers)
    return Network(
        interfaces=live,
        unread=unread,
        pins=tuple(replace(pin, known_there=pin.mac is not None and names.knows(pin.mac.value)) for pin in pins),
        policy=policy,
        managers=managers,
        renames_new_cards=udev.generator,
        fallback=_fallback(managers, nm_conf, netplan),
        cloud_init_writes=cloud_init.writes_network,
        certain=bool(managers.active),
    )


def _ignores_udev_names(os: OsInfo) -> bool:
    """From Red Hat Enterprise Linux 9 on, a ``NAME=`` of a rule loses against the .link files."""
    return os.family == "rhel" and os.major >= 9 and os.distro != "fedora"


def _pins(
    fs: GuestFS, live: Iterable[InterfaceConfig], links: SystemdLinks, rules: Iterable[UdevNetRule], managers: NetManagers
) -> Iterator[NamePin]:
    for link in links.links:
        if link.name is not None:
            yield NamePin(link.name, link.where, link.macs[0] if link.macs else None, link.hardware)
    for rule in rules:
        yield NamePin(rule.name, rule.where, rule.mac, rule.hardware)
    scripts_rename = not managers.active or any(fs.exists(path) for path in _RENAME_DEVICE)
    for interface in live:
        if interface.renamed_to is not None:
            yield NamePin(interface.renamed_to, interface.where, interface.mac, interface.hardware)
        elif interface.manager is Manager.NETWORK_SCRIPTS and interface.mac and interface.name and scripts_rename:
            yield NamePin(interface.name, interface.where, interface.mac)


def _fallback(managers: NetManagers, nm_conf: NmConf, netplan: Netplan) -> str:
    handed_over = bool(managers.runs(Manager.NETPLAN)) and netplan.renderer == "NetworkManager"
    if managers.runs(Manager.NETWORK_MANAGER) and nm_conf.connects_by_itself(manages_all=handed_over):
        return "NetworkManager connects any other card by DHCP"
    if managers.runs(Manager.DHCPCD):
        return "dhcpcd asks for an address on every card"
    return ""
