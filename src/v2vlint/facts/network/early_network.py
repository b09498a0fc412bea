"""Network cards named by the kernel command line or the initramfs configuration: dracut.cmdline(7), initramfs-tools(7), initramfs.conf(5).

In ``ip=192.0.2.5::192.0.2.1:255.255.255.0:web1:ens192:none`` the sixth field names the card, in ``ip=ens192:dhcp`` the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.initramfs.initramfs_tools import sourced_settings
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.conf_vars import ConfVars
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where

MAX_NAMES = 200
_METHODS = frozenset(
    {"dhcp", "on", "any", "both", "dhcp6", "auto6", "either6", "link6", "link-local", "ibft", "off", "none", "single-dhcp"}
)
_PART = re.compile(r"\[[^\]]*\]|[^:\[]+|(?<=:)(?=:)|^(?=:)")
_NAME = re.compile(r"[A-Za-z][\w.-]{0,14}")
_STACKED = frozenset({"vlan", "bridge", "bond", "team"})


@dataclass(frozen=True, slots=True)
class EarlyCard:
    """A card that ``setting`` (as written) requires at ``where``: by ``name``, or by ``mac`` (``BOOTIF=``). ``in_initramfs`` says that
    the setting is in the initramfs configuration."""

    setting: str
    where: Where
    name: str = ""
    mac: str = ""
    in_initramfs: bool = False


@dataclass(frozen=True, slots=True)
class EarlyNetwork:
    """Network that boot needs before the root is mounted. ``given`` are names that ``ifname=`` assigns to the cards with these addresses;
    ``needed`` says that dracut waits for the network (``rd.neednet=1``); ``servers`` are ``netroot=`` and iSCSI targets. ``asked``: with
    any of these, or with ``ip=``, which the kernel itself or the initramfs may obey, a card may come up before the root is mounted."""

    cards: tuple[EarlyCard, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    servers: tuple[KernelArg, ...] = ()
    needed: bool = False
    asked: bool = False


@provides
def find_early_network(fs: GuestFS, bootloader: Bootloader) -> EarlyNetwork:
    """The arguments of the default entry, then ``IP=`` and ``DEVICE=`` of initramfs-tools."""
    args = bootloader.default.args if bootloader.default is not None else ()
    cards, settings = tuple(card for arg in args for card in _cards(arg)), sourced_settings(fs)
    given = tuple((name, mac) for arg in args if arg.name == "ifname" and arg.value for name, _colon, mac in [arg.value.partition(":")])
    servers = tuple(arg for arg in args if arg.value and (arg.name in ("netroot", "iscsi_target_ip") or _is_nfs(arg)))
    needed = any(arg.name == "rd.neednet" and arg.value not in ("0", "no") for arg in args)
    address = (*(arg.value for arg in args if arg.name == "ip"), ip.value if (ip := settings.last("IP")) else None)
    asked = needed or bool(cards or servers) or any(value and value not in ("off", "none") for value in address)
    return EarlyNetwork((*cards, *_settings(settings))[:MAX_NAMES], given, servers, needed, asked)


def _is_nfs(arg: KernelArg) -> bool:
    return (arg.name in ("root", "nfsroot") and (arg.value or "").startswith(("nfs:", "nfs4:", "iscsi:", "nbd:"))) or arg.name == "nfsroot"


def _cards(arg: KernelArg) -> Iterator[EarlyCard]:
    value = arg.value or ""
    if arg.name == "BOOTIF":
        mac = value.replace("-", ":").lower()  # PXELINUX puts the hardware type first: 01-52-54-00-…
        yield EarlyCard(str(arg), arg.where, mac=mac[3:] if len(mac) == 20 else mac)
    names: tuple[str, ...] = ()
    if arg.name == "ip":
        names = _ip_name(value)
    elif arg.name in ("bootdev", "ksdevice", "rd.route"):
        names = (value.rpartition(":")[2] if arg.name == "rd.route" else value,)
    elif arg.name in _STACKED:
        names = tuple(value.partition(":")[2].partition(":")[0].split(","))
    yield from (
        EarlyCard(str(arg), arg.where, name) for name in names if _NAME.fullmatch(name) and name not in (*_METHODS, "bootif", "link")
    )


def _ip_name(value: str) -> tuple[str, ...]:
    # IPv6 addresses are in brackets because of their colons.
    parts = value.split(":") if "[" not in value else [match[0] for match in _PART.finditer(value)]
    if len(parts) >= 2 and parts[1].split(",")[0] in _METHODS:
        return (parts[0],)
    return (parts[5],) if len(parts) >= 6 else ()


def _settings(settings: ConfVars) -> Iterator[EarlyCard]:
    for key in ("IP", "DEVICE"):
        value = settings.last(key)
        if value is None:
            continue
        found = _ip_name(value.value) if key == "IP" else (value.value,)
        names = (name for name in found if _NAME.fullmatch(name))
        yield from (EarlyCard(f"{key}={value}", value.where, name, in_initramfs=True) for name in names)
