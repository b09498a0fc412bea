"""How the guest names network cards that nothing pins: ``eth0`` in the order of detection, or by the place of the card.

Decided by ``net.ifnames=`` of the default boot entry (or its default in this distribution), then udev's rules, then the default .link
file.
"""

from __future__ import annotations

import re

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.facts.network.systemd_link import SystemdLinks
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.layers import UDEV_RULES, winner
from v2vlint.facts.syntax.systemd_unit import boolean
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where, WholeFile

_BY_LINK, _BY_RULE = "80-net-setup-link.rules", "80-net-name-slot.rules"
_VENDOR_RULES = UDEV_RULES[-2:]
_MDEV = ("/sbin/mdev", "/etc/mdev.conf")
_WORDS = ("onboard", "slot", "path")
# Larger onboard indexes are ignored as firmware bugs (since systemd 220); version 249 accepts any of 16 bits, and VMware's are larger.
_INDEX_LIMIT = 16383


@dataclass(frozen=True, slots=True)
class NamePolicy:
    """``predictable`` says whether cards are named by place (``ens192``) or by the kernel (``eth0``); None: not known.

    ``where`` and ``reason`` say what decides it. ``arg`` is the ``net.ifnames=`` in force, if any. ``words`` are the name policies in the
    order they are tried, ``altwords`` those for alternative names. ``names_xen`` says whether Xen's cards are called ``enX0`` (since
    systemd 250). ``by_link``: .link files are read, which eudev and old versions of udev do not do.
    """

    predictable: bool | None
    where: Where
    reason: str
    arg: KernelArg | None = None
    words: tuple[str, ...] = _WORDS
    altwords: tuple[str, ...] = ()
    names_xen: bool | None = None
    index_limit: int = _INDEX_LIMIT
    by_link: bool = True


@provides
def parse_name_policy(
    fs: GuestFS, links: SystemdLinks, bootloader: Bootloader, lines: CommandLines, os: OsInfo, udev: UdevVersion
) -> NamePolicy:
    """The naming policy of the guest's default boot."""
    arg = _last(bootloader, lines, "net.ifnames")
    rules = {name: path for name in (_BY_LINK, _BY_RULE) if (path := winner(fs, UDEV_RULES, name))}
    predictable, where, reason = _decision(fs, links, arg, rules)
    if predictable and (arg is None or boolean(arg.value or "") is not True):
        predictable, reason = _without_argument(os, udev, reason, bootloader.default is not None or bool(lines.sources))
    policies = links.default.policies if links.default is not None else ()
    return NamePolicy(
        predictable=predictable,
        where=where,
        reason=reason,
        arg=arg,
        words=tuple(word.value for word in policies if word.value in _WORDS) or _WORDS,
        altwords=tuple(word.value for word in links.default.altpolicies) if links.default is not None else (),
        names_xen=_xen(udev, bootloader, lines),
        index_limit=_limit(udev, os),
        by_link=_reads_links(fs, rules),
    )


def _without_argument(os: OsInfo, udev: UdevVersion, reason: str, known: bool) -> tuple[bool | None, str]:
    """The distribution's behaviour without ``net.ifnames=``; ``known`` says that the command line is known."""
    opt_in = _opt_in(os, udev)
    if not known:
        return None, "the kernel command line is not known"
    return opt_in if opt_in is not None else (True, reason)


def _reads_links(fs: GuestFS, rules: dict[str, str]) -> bool:
    """A udev without the rule that applies .link files reads none; without any udev they are assumed to be read."""
    if _BY_LINK in rules:
        return not fs.is_masked(rules[_BY_LINK])
    return not rules and not any(fs.listdir(folder) for folder in _VENDOR_RULES)


def _decision(fs: GuestFS, links: SystemdLinks, arg: KernelArg | None, rules: dict[str, str]) -> tuple[bool | None, Where, str]:
    """The decision by argument and files, before the distribution's default."""
    if arg is not None and boolean(arg.value or "") is False:
        return False, arg.where, f"{arg} on the kernel command line"
    masked = next((path for path in rules.values() if fs.is_masked(path)), None)
    if masked is not None:
        return False, WholeFile(masked), "udev's naming rules are masked"
    if not rules:
        has_udev = any(fs.listdir(folder) for folder in _VENDOR_RULES)
        if not has_udev and any(fs.exists(path) or fs.readlink(path) for path in _MDEV):
            return False, WholeFile(_MDEV[0]), "mdev names no cards"
        reason = "udev has no rules that name cards by place" if has_udev else "no udev rules were found"
        return False if has_udev else None, WholeFile(_VENDOR_RULES[0]), reason
    if _BY_RULE not in rules and links.default_masked:
        return False, links.default_at, "the default .link file is masked"
    if _BY_RULE not in rules and links.default is not None and not links.default.is_predictable:
        return False, links.default_at, "the default .link file names no card by place"
    return True, WholeFile(next(iter(rules.values()))), "udev names cards by place"


def _opt_in(os: OsInfo, udev: UdevVersion) -> tuple[bool | None, str] | None:
    """Distributions whose udev names cards by place only with ``net.ifnames=1``.

    SUSE up to 15: ``enable_name_policy()`` in openSUSE/systemd's link-config.c, SUSE KB 000020417. Debian 8 and Ubuntu 15.04: their patch
    "Make net.ifnames opt-in instead of opt-out", dropped in systemd 220-7. Tumbleweed's behaviour has changed over time.
    """
    if os.family == "suse":
        if os.distro.startswith("opensuse-tumbleweed") or not os.major:
            return None, "it is not known whether this release names cards by place"
        return (False, f"{os.name} names cards by place only with net.ifnames=1") if os.major < 16 or os.major == 42 else None
    if os.family == "debian" and 0 < udev.number < 220:
        return False, f"{os.name} names cards by place only with net.ifnames=1"
    return None


def _xen(udev: UdevVersion, bootloader: Bootloader, lines: CommandLines) -> bool | None:
    scheme = _last(bootloader, lines, "net.naming-scheme")
    match = re.fullmatch(r"v(\d{3})", (scheme.value or "") if scheme else "")
    number = int(match[1]) if match else udev.number
    return number >= 250 if number else None


def _limit(udev: UdevVersion, os: OsInfo) -> int:
    """The largest onboard index used for a name. Red Hat allows up to 16383 since 7.3 (access.redhat.com/solutions/2592561)."""
    early = re.fullmatch(r"7\.[0-2](?:\D.*)?", os.version) is not None
    if os.family == "rhel" and udev.number == 219 and not early:
        return _INDEX_LIMIT
    return 1 << 27 if 0 < udev.number < 220 else (1 << 16) - 1 if udev.number >= 249 else _INDEX_LIMIT


def _last(bootloader: Bootloader, lines: CommandLines, name: str) -> KernelArg | None:
    entry = bootloader.default
    return last_arg(entry.args if entry is not None else (*lines.live, *lines.sources), name)
