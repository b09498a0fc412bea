"""What an interface name says about its origin (systemd.net-naming-scheme(7), biosdevname(1))."""

from __future__ import annotations

import enum
import fnmatch
import re

MAX_NAME = 200
_GLOB = re.compile(r"[*?\[]")
_TAIL = r"(?:f\d+)?(?:np?\w+|d\d+)?(?:v\d+)?"


class IfNameKind(enum.StrEnum):
    """The origin of a name."""

    KERNEL = "kernel"
    ONBOARD = "onboard index"
    SLOT = "hotplug slot"
    PATH = "bus path"
    MAC = "MAC address"
    BIOSDEVNAME = "biosdevname"
    XEN = "Xen device number"
    VIRTUAL = "virtual"
    CUSTOM = "custom"


_KINDS = (
    (IfNameKind.KERNEL, re.compile(r"(?:eth|hsn|wlan|usb|ib)\d+")),
    (IfNameKind.MAC, re.compile(r"(?:en|eth|wl|ww)x[0-9a-f]{12}")),
    (IfNameKind.XEN, re.compile(r"enX\d+")),
    (IfNameKind.ONBOARD, re.compile(rf"(?:en|wl|ww|ib)o\d+{_TAIL}")),
    (IfNameKind.SLOT, re.compile(rf"(?:en|wl|ww|ib)(?:P\d+)?s\d+{_TAIL}")),
    (IfNameKind.PATH, re.compile(rf"(?:en|wl|ww|ib)(?:P\d+)?p\d+s\d+{_TAIL}(?:u\d+)*(?:c\d+)?(?:i\d+)?")),
    (IfNameKind.PATH, re.compile(r"en[acdiv]\w+")),
    (IfNameKind.BIOSDEVNAME, re.compile(r"(?:em\d+|p\d+p\d+)(?:_\d+)?")),
    (IfNameKind.VIRTUAL, re.compile(
        r"(?:lo|bond|team|br|virbr|docker|vlan|dummy|tun|tap|wg|ppp|sit|gre|ipip|veth|vnet|ovs|macvlan|ipvlan|vxlan|lxcbr|lxdbr|vmbr|cni)"
        r"[-\w]*"
    )),
)  # fmt: skip


def ifname_kind(name: str) -> IfNameKind:
    """The kind of an interface name; VLANs and aliases (``ens192.10``, ``eth0:1``) have that of their parent."""
    base = parent_name(name)
    if len(base) > MAX_NAME:
        return IfNameKind.CUSTOM
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(base)), IfNameKind.CUSTOM)


def parent_name(name: str) -> str:
    """``ens192.100`` and ``eth0:1`` reduced to the parent interface's name."""
    return re.split(r"[.:@]", name, maxsplit=1)[0]


def is_topology_name(name: str) -> bool:
    """Whether udev derived the name from the place of the card (``ens192``, ``enp3s0f1``, ``eno1``), which changes with the hardware."""
    return ifname_kind(name) in {IfNameKind.ONBOARD, IfNameKind.SLOT, IfNameKind.PATH}


def is_vmware_name(name: str) -> bool:
    """Whether only VMware gives such names: its PCI bridges number slots from 32 and 160, its ACPI index starts at 16777xxx."""
    match = re.fullmatch(r"en(?:s(\d+)|o(\d+))(?:np0)?", name)
    if match is None:
        return False
    return int(match[1]) >= 32 if match[1] else int(match[2]) >= 1 << 14


def is_glob(pattern: str) -> bool:
    """Whether the pattern has wildcards."""
    return _GLOB.search(pattern) is not None


def matches(pattern: str, name: str) -> bool:
    """Whether the interface name ``name`` matches ``pattern`` (shell wildcards; a leading ``!`` inverts)."""
    if len(pattern) > MAX_NAME:
        return False
    if pattern.startswith("!"):
        return not matches(pattern[1:], name)
    return fnmatch.fnmatchcase(name, pattern)
