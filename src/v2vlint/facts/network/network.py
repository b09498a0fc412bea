"""The guest's network as a whole: which managers run, what they configure, and what names the cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from v2vlint.facts.network.choice import nm_order
from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.facts.network.dhcpcd import Dhcpcd
from v2vlint.facts.network.early_network import EarlyNetwork
from v2vlint.facts.network.ifcfg import Ifcfg
from v2vlint.facts.network.ifupdown import Interfaces
from v2vlint.facts.network.interface import NO_CARD, InterfaceConfig, Manager, Method
from v2vlint.facts.network.managers import NetManagers
from v2vlint.facts.network.match import Match, MatchKey, any_of
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.names import is_glob, parent_name
from v2vlint.facts.network.netifrc import Netifrc
from v2vlint.facts.network.netplan import Netplan
from v2vlint.facts.network.networkd import Networkd
from v2vlint.facts.network.nm_conf import NmConf
from v2vlint.facts.network.nm_keyfile import NmKeyfiles, RefusedProfile, nm_timestamps
from v2vlint.facts.network.nm_spec import left_alone
from v2vlint.facts.network.refusal import ManagerRefusal
from v2vlint.facts.network.systemd_link import SystemdLinks
from v2vlint.facts.network.udev_net import UdevNet, UdevNetRule
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Token, Where, WholeFile

_RENAME_DEVICE = ("/lib/udev/rename_device", "/usr/lib/udev/rename_device")
_NM_DEFAULT = "NetworkManager connects any other card by DHCP"


@dataclass(frozen=True, slots=True)
class NamePin:
    """Something that names a card matching ``match`` (any card without conditions). ``mac`` is the address it requires.

    ``where`` is the place of what ties it to the card. An empty ``name`` leaves the card its kernel name; ``last`` says that a name by
    place takes precedence.
    """

    name: Token
    where: Where
    mac: Token | None = None
    match: Match = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """The network configuration that is in force.

    ``interfaces`` are those of managers that run (or that may run, if the guest does not show it: ``certain`` is then false); ``unread``
    are configurations whose manager does not run. ``pins`` give cards fixed names; ``policy`` names the others. ``fallback`` says what
    brings up a card without any configuration, or is empty; cards that match one of ``no_fallback`` it leaves alone. ``hands_off`` are
    configurations that exclude matching cards from a manager. ``refused`` are profiles that NetworkManager does not load; ``broken`` are
    lines on account of which a manager that runs configures nothing. ``early``: the initramfs brings a card up, or that is not known.
    """

    interfaces: tuple[InterfaceConfig, ...] = ()
    unread: tuple[InterfaceConfig, ...] = ()
    hands_off: tuple[InterfaceConfig, ...] = ()
    pins: tuple[NamePin, ...] = ()
    policy: NamePolicy = NamePolicy(None, WholeFile("/etc"), "not known")
    managers: NetManagers = NetManagers()
    udev: UdevNet = UdevNet()
    fallback: str = ""
    no_fallback: tuple[Match, ...] = ()
    refused: tuple[RefusedProfile, ...] = ()
    broken: tuple[ManagerRefusal, ...] = ()
    cloud_init_writes: bool = False
    early: bool = False
    certain: bool = False

    @property
    def cards(self) -> tuple[InterfaceConfig, ...]:
        """The configurations of network cards that come up, themselves or as part of another interface."""
        return tuple(interface for interface in self.interfaces if not interface.is_virtual and self.starts(interface))

    def starts(self, interface: InterfaceConfig) -> bool:
        """Whether it comes up at boot: itself, or because an interface stacked on it comes up and starts it."""
        return interface.autostart or any(upper.brings_up and upper.autostart for upper in self.uppers(interface))

    def uppers(self, interface: InterfaceConfig) -> tuple[InterfaceConfig, ...]:
        """The interfaces stacked on it."""
        return tuple(upper for upper in self.interfaces if upper.is_virtual and upper is not interface and _is_below(interface, upper))

    def lowers(self, upper: InterfaceConfig) -> tuple[InterfaceConfig, ...]:
        """The configurations of the interfaces below it."""
        return tuple(lower for lower in self.interfaces if lower is not upper and _is_below(lower, upper)) if upper.is_virtual else ()

    def bare_uses(self, upper: InterfaceConfig) -> tuple[Token, ...]:
        """Names of cards below it that have no configuration of their own."""
        known = {word for lower in self.lowers(upper) for word in _words(lower)}
        return tuple(token for token in upper.uses if upper.is_virtual and token.value not in known and self.named(token.value) is None)

    @property
    def addressed(self) -> tuple[InterfaceConfig, ...]:
        """The interfaces that come up by themselves and get an address, cards or not, except loopback and tunnels."""
        return tuple(i for i in self.interfaces if i.autostart and i.method is not Method.NONE and i.kind not in NO_CARD)

    @property
    def writes_resolv_conf(self) -> bool:
        """Whether a DHCP client or NetworkManager writes /etc/resolv.conf anew at boot; systemd-networkd does not."""
        clients = (interface for interface in self.addressed if interface.method is Method.DHCP)
        return bool(self.fallback) or any(interface.manager is not Manager.NETWORKD for interface in clients)

    def named(self, name: str) -> InterfaceConfig | None:
        """The configuration that others refer to as ``name``: an interface name, netplan id, or profile id or UUID."""
        for interface in self.interfaces:
            if name in interface.ids or any(token.value == name for token in interface.names):
                return interface
        return None

    def pins_of(self, name: str) -> tuple[NamePin, ...]:
        """All pins that assign this name."""
        return tuple(pin for pin in self.pins if pin.name.value == parent_name(name))


def _words(interface: InterfaceConfig) -> tuple[str, ...]:
    """The names that others may use for it."""
    return (*(token.value for token in interface.names), *interface.ids)


def _is_below(lower: InterfaceConfig, upper: InterfaceConfig) -> bool:
    names = frozenset(_words(upper))
    if names & {token.value for token in (*lower.carries, *((lower.master,) if lower.master else ()))}:
        return True
    return any(token.value in _words(lower) for token in upper.uses)


@dataclass(frozen=True, slots=True)
class _Configured:
    """The configuration in each manager's files, whether or not that manager runs."""

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
    dhcpcd: Dhcpcd,
    fs: GuestFS,
) -> _Configured:
    """All configurations, with ifcfg files attributed to the program that reads them. NetworkManager takes no name from the file name."""
    times = nm_timestamps(fs) if ifcfg.files else {}
    found = (*networkd.interfaces, *keyfiles.interfaces, *netplan.interfaces, *ifupdown.interfaces, *netifrc.interfaces, *dhcpcd.interfaces)
    return _Configured((*found, *_ifcfg_readers(ifcfg, managers, times)))


def _ifcfg_readers(ifcfg: Ifcfg, managers: NetManagers, times: dict[str, str]) -> Iterator[InterfaceConfig]:
    scripts, nm = managers.runs(Manager.NETWORK_SCRIPTS), managers.runs(Manager.NETWORK_MANAGER)
    for file in ifcfg.files:
        by_nm = nm and managers.nm_reads_ifcfg and file.nm_controlled
        if file.interface.manager is Manager.NETWORK_SCRIPTS and by_nm and not scripts:
            written = tuple(name for name in file.interface.names if name.where.end > name.where.start)
            uuid = file.vars.text("UUID")
            order = nm_order(file.vars.text("AUTOCONNECT_PRIORITY"), times.get(uuid, ""), uuid)
            single = not file.vars.text("MULTI_CONNECT").startswith("3")
            yield replace(file.interface, manager=Manager.NETWORK_MANAGER, names=written, order=order, single=single)
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
    networkd: Networkd,
    keyfiles: NmKeyfiles,
    ifupdown: Interfaces,
    store: FactStore,
) -> Network:
    """The guest's network, over every manager that runs or may run."""
    broken = tuple(_broken(managers, nm_conf, ifupdown, netplan))
    sorted_out = [(one, _is_in_force(one, managers, broken)) for one in configured.interfaces]
    live, unread = (tuple(one for one, runs in sorted_out if runs is wanted) for wanted in (True, False))
    handed_over = bool(managers.runs(Manager.NETPLAN)) and netplan.renderer == "NetworkManager"
    by_nm = managers.runs(Manager.NETWORK_MANAGER) is not False
    left = (*nm_conf.hands_off(manages_all=handed_over), *_left_to_ifupdown(configured, nm_conf)) if by_nm else ()
    hands_off = (*(networkd.unmanaged if managers.runs(Manager.NETWORKD) is not False else ()), *left)
    udev_pins = () if _ignores_udev_names(os) else udev.rules
    pins = tuple(_pins(fs, live, links if policy.by_link else SystemdLinks(), udev_pins, managers))
    return Network(
        interfaces=live,
        unread=unread,
        hands_off=hands_off,
        pins=pins,
        policy=policy,
        managers=managers,
        udev=udev,
        fallback=(fallback := _fallback(managers, nm_conf, broken)),
        no_fallback=tuple(_no_default(live, left, nm_conf)) if fallback == _NM_DEFAULT else (),
        refused=keyfiles.refused if by_nm else (),
        broken=broken,
        cloud_init_writes=cloud_init.writes_network,
        early=_early(store),
        certain=bool(managers.active) and (nm_conf.certain or not by_nm),
    )


def _early(store: FactStore) -> bool:
    try:
        return store.get(EarlyNetwork).asked
    except FactUnavailable:
        return True


def _ignores_udev_names(os: OsInfo) -> bool:
    """Since Red Hat Enterprise Linux 9, .link files take precedence over ``NAME=`` in a rule."""
    return os.family == "rhel" and os.major >= 9 and os.distro != "fedora"


def _pins(
    fs: GuestFS, live: Iterable[InterfaceConfig], links: SystemdLinks, rules: Iterable[UdevNetRule], managers: NetManagers
) -> Iterator[NamePin]:
    for rule in rules:
        yield NamePin(rule.name, rule.where, rule.mac, rule.conditions)
    for interface in live:
        if interface.renamed_to is not None:
            bound = next((token for token in (interface.mac, *interface.hardware) if token), None)
            yield NamePin(interface.renamed_to, bound.where if bound else interface.where, interface.mac, interface.match)
    # rename_device is called by a udev rule of initscripts and obeys HWADDR; NetworkManager does not rename cards.
    scripts_rename = not managers.active or any(fs.exists(path) for path in _RENAME_DEVICE)
    for interface in live:
        if interface.manager is Manager.NETWORK_SCRIPTS and interface.mac and interface.name and scripts_rename:
            yield NamePin(interface.name, interface.mac.where, interface.mac, any_of(MatchKey.MAC, (interface.mac,)))
    yield from _link_pins(links)


def _link_pins(links: SystemdLinks) -> Iterator[NamePin]:
    """udev uses the first matching .link file, whatever it sets; ``NamePolicy=`` is tried before ``Name=`` (link-config.c)."""
    for link in links.links:
        if link is links.default:
            return
        bound = next(iter((*link.macs, *link.hardware)), None)
        where, mac = bound.where if bound else link.where, link.macs[0] if link.macs else None
        if link.name is not None:
            yield NamePin(link.name, where, mac, link.conditions, link.is_predictable)
        elif not link.is_predictable:
            yield NamePin(Token("", link.where), where, mac, link.conditions)


def _fallback(managers: NetManagers, nm_conf: NmConf, broken: tuple[ManagerRefusal, ...]) -> str:
    starts = not any(one.manager is Manager.NETWORK_MANAGER for one in broken)
    if managers.runs(Manager.NETWORK_MANAGER) and starts and nm_conf.connects_by_itself:
        return _NM_DEFAULT
    if managers.runs(Manager.DHCPCD):
        return "dhcpcd requests an address on every card"
    return ""


def _broken(managers: NetManagers, nm_conf: NmConf, ifupdown: Interfaces, netplan: Netplan) -> Iterator[ManagerRefusal]:
    """Of each manager that runs, or may run, the first line for which it configures nothing. For a file that is not YAML netplan 0.106
    generates nothing from any file; as a generator, 1.1 passes over it."""
    if managers.runs(Manager.NETWORK_MANAGER) is not False:
        yield from (ManagerRefusal(Manager.NETWORK_MANAGER, place, "") for place in nm_conf.malformed[:1])
    if managers.runs(Manager.IFUPDOWN) is not False:
        yield from ifupdown.refused
    if managers.runs(Manager.NETPLAN) is not False:
        yield from (ManagerRefusal(Manager.NETPLAN, one.where, "it is not YAML", certain=False) for one in netplan.problems[:1])


def _is_in_force(one: InterfaceConfig, managers: NetManagers, broken: tuple[ManagerRefusal, ...]) -> bool:
    """Whether the program that reads it runs, or may run. With a broken NetworkManager none of its profiles and of netplan's is."""
    stopped = any(refusal.certain and refusal.whole and refusal.manager in (one.manager, one.renderer) for refusal in broken)
    return managers.runs(one.manager) is not False and not stopped


def _left_to_ifupdown(configured: _Configured, nm_conf: NmConf) -> Iterator[InterfaceConfig]:
    """The cards with a stanza in /etc/network/interfaces, which Debian's plugin leaves alone, whether or not ifupdown brings them up."""
    for one in configured.interfaces if nm_conf.spares_ifupdown else ():
        names = [name for name in one.names if not is_glob(name.value)]
        if one.manager is Manager.IFUPDOWN and names:
            yield InterfaceConfig(Manager.NETWORK_MANAGER, one.where, conditions=any_of(MatchKey.NAME, names), order=" ")


def _no_default(live: Iterable[InterfaceConfig], left: Iterable[InterfaceConfig], nm_conf: NmConf) -> Iterator[Match]:
    """The cards that NetworkManager gives no connection of its own: those that it leaves alone, and those that a profile fits, even one
    that does not connect by itself (nm-settings.c, ``have_connection_for_device``)."""
    profiles = (one for one in live if Manager.NETWORK_MANAGER in (one.manager, one.renderer) and not one.is_virtual)
    yield from (config.match for config in (*left, *profiles))
    yield from left_alone(nm_conf.no_auto_default) if nm_conf.no_auto_default else ()
