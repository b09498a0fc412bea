"""Why NetworkManager does not load a connection profile: each refusal was asked of NetworkManager 1.42 itself."""

from __future__ import annotations

import os
import re

from v2vlint.disk.filesystems.node import Stat
from v2vlint.facts.syntax.ini import IniFile
from v2vlint.guest.fs import GuestFS

_PRIVATE = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers")
_UUID = re.compile(r"[0-9a-fA-F-]{36}|[0-9a-fA-F]{40}")
_NAME = re.compile(r"[^\s/:%\x00-\x1f\x7f]+")
_RESERVED = frozenset({".", "..", "all", "default", "bonding_masters"})
_MAX_NAME = 15  # IFNAMSIZ without its terminator
_METHODS = {
    "ipv4": {"auto", "manual", "link-local", "shared", "disabled"},
    "ipv6": {"auto", "manual", "link-local", "shared", "disabled", "ignore", "dhcp"},
}
_BASES = {
    "ethernet", "802-3-ethernet", "wifi", "802-11-wireless", "vlan", "bond", "bridge", "team", "infiniband", "ip-tunnel", "wireguard",
    "vpn", "tun", "vxlan", "loopback", "dummy", "gsm", "cdma", "pppoe", "bluetooth", "macvlan", "vrf", "veth", "macsec", "adsl", "generic",
}  # fmt: skip


def keeps_modes(fs: GuestFS) -> bool:
    """Whether the tree has the modes and owners of a system that runs: one where others may read even the passwords was built or copied
    without them, so that a file's mode says nothing."""
    found = [stat for path in _PRIVATE if (stat := fs.stat(path)) is not None]
    return bool(found) and all(stat.uid == 0 and not stat.mode & 0o007 for stat in found)


def exposed(stat: Stat) -> str:
    """Why the file of a profile is insecure, as text; empty when it is not (nms-keyfile-utils.c,
    ``nms_keyfile_utils_check_file_permissions``)."""
    if stat.uid:
        return f"it belongs to user {stat.uid}, not to root"
    return f"its mode is {stat.mode & 0o777:04o}, so that others may read it" if stat.mode & 0o077 else ""


def invalid(ini: IniFile) -> str:
    """What makes the profile invalid, as text; empty when nothing is known to."""
    if ini.malformed:
        return f"line {ini.malformed[0].line} is neither a group, a key with a value, nor a comment"
    uuid, name, kind = (ini.get("connection", key) for key in ("uuid", "interface-name", "type"))
    if uuid and not _UUID.fullmatch(uuid.value):
        return "its uuid is not one"
    # Open vSwitch has names of its own.
    if name and not (kind and kind.value.startswith("ovs-")) and not _is_name(name.value):
        return "its interface-name is not a name that a card can have"
    return _wrong_type(ini) or _wrong_method(ini)


def _is_name(name: str) -> bool:
    """Whether a card can have the name (``nm_utils_ifname_valid_kernel``)."""
    return bool(_NAME.fullmatch(name)) and len(os.fsencode(name)) <= _MAX_NAME and name not in _RESERVED


def _wrong_type(ini: IniFile) -> str:
    kind = ini.get("connection", "type")
    if kind is None:
        return "" if any(section.name in _BASES for section in ini.sections) else "it has no type"
    if not kind.value:
        return "its type is empty"
    plain = kind.value.strip().lower()
    return f"its type is {kind.value}, not {plain}" if kind.value not in _BASES and plain in _BASES else ""


def _wrong_method(ini: IniFile) -> str:
    for version, known in _METHODS.items():
        method = ini.get(version, "method")
        if method and method.value not in known:
            return f"{version} has no method {method.value}"
        section = ini.merged(version)
        if method and method.value == "manual" and section and not any(one.key.startswith("address") for one in section.settings):
            return f"{version} has the method manual, but no address"
    return ""
