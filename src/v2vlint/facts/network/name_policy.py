"""How the guest names network cards that nothing pins: ``eth0`` in the order of discovery, or by the place of the card.

Decided by ``net.ifnames=`` and ``biosdevname=`` of the default boot entry, then udev's rules, then the default .link file.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.facts.network.systemd_link import SystemdLinks
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.layers import UDEV_RULES, winner
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Where, WholeFile

_RULES = ("80-net-setup-link.rules", "80-net-name-slot.rules")
_VENDOR_RULES = UDEV_RULES[-2:]


@dataclass(frozen=True, slots=True)
class NamePolicy:
    """``predictable`` says whether cards are named by their place (``ens192``) or by the kernel (``eth0``); None: not known.

    ``where`` and ``reason`` say what decides it. ``arg`` is the ``net.ifnames=`` in force, if one is.
    """

    predictable: bool | None
    where: Where
    reason: str
    arg: KernelArg | None = None


@provides
def parse_name_policy(fs: GuestFS, links: SystemdLinks, bootloader: Bootloader, lines: CommandLines) -> NamePolicy:
    """The naming policy of the guest's default boot."""
    arg = _ifnames(bootloader, lines)
    if arg is not None and arg.value == "0":
        return NamePolicy(False, arg.where, "net.ifnames=0 on the kernel command line", arg)
    rules = {name: path for name in _RULES if (path := winner(fs, UDEV_RULES, name))}
    masked = next((path for path in rules.values() if fs.is_masked(path)), None)
    if masked is not None:
        return NamePolicy(False, WholeFile(masked), "udev's naming rules are masked")
    if not rules:
        has_udev = any(fs.listdir(folder) for folder in _VENDOR_RULES)
        reason = "udev has no rules that name cards by their place" if has_udev else "no udev rules were found"
        return NamePolicy(False if has_udev else None, WholeFile(_VENDOR_RULES[0]), reason)
    if links.default_masked:
        return NamePolicy(False, links.default_at, "the default .link file is masked")
    if links.default is not None and not links.default.is_predictable:
        return NamePolicy(False, links.default_at, "the default .link file names no card by its place")
    known = bootloader.default is not None or bool(lines.sources)
    reason = "udev names cards by their place" if known else "the kernel command line is not known"
    return NamePolicy(True if known else None, WholeFile(next(iter(rules.values()))), reason)


def _ifnames(bootloader: Bootloader, lines: CommandLines) -> KernelArg | None:
    entry = bootloader.default
    return last_arg(entry.args if entry is not None else (*lines.live, *lines.sources), "net.ifnames")
