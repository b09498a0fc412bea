"""systemd .link files: how udevd names network cards (systemd.link(5))::

[Match]
MACAddress=52:54:00:12:34:56
[Link]
Name=lan0
"""

from __future__ import annotations

from v2vlint.facts.network.interface import mac_token
from v2vlint.facts.network.match import Match, MatchKey
from v2vlint.facts.network.systemd_match import live_units, match_of
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.layers import winner
from v2vlint.facts.syntax.systemd_unit import FOLDERS, Unit
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, Where, WholeFile

DEFAULT_LINK = "99-default.link"
_PREDICTABLE = frozenset({"onboard", "slot", "path", "mac", "database"})


@dataclass(frozen=True, slots=True)
class LinkFile:
    """One active .link file. ``hardware`` are the driver names and bus paths it matches; ``policies`` the words of ``NamePolicy=``,
    ``altpolicies`` those of ``AlternativeNamesPolicy=``.

    ``conditions`` are what a card must match for the file to apply.
    """

    path: str
    where: Span
    macs: tuple[Token, ...] = ()
    names: tuple[Token, ...] = ()
    hardware: tuple[Token, ...] = ()
    name: Token | None = None
    set_mac: Token | None = None
    policies: tuple[Token, ...] = ()
    altpolicies: tuple[Token, ...] = ()
    conditions: Match = ()

    @property
    def is_predictable(self) -> bool:
        """Whether its policy derives names from the place of the card."""
        return any(policy.value in _PREDICTABLE for policy in self.policies)


@dataclass(frozen=True, slots=True)
class SystemdLinks:
    """The active .link files in order; ``default`` is udev's own 99-default.link or its replacement.

    ``default_masked`` says that 99-default.link exists but is disabled; ``default_at`` is then the file that disables it.
    """

    links: tuple[LinkFile, ...] = ()
    default: LinkFile | None = None
    default_masked: bool = False
    default_at: Where = WholeFile(f"/etc/systemd/network/{DEFAULT_LINK}")
    malformed: tuple[Span, ...] = ()


@provides
def parse_systemd_links(fs: GuestFS, version: UdevVersion) -> SystemdLinks:
    """All .link files that can apply in a virtual machine."""
    units = live_units(fs, ".link", version)
    links = tuple(_link(unit, version) for unit in units)
    default = next((link for link in links if link.path.endswith(f"/{DEFAULT_LINK}")), None)
    first = winner(fs, FOLDERS, DEFAULT_LINK)
    return SystemdLinks(
        links=links,
        default=default,
        default_masked=first is not None and default is None,
        default_at=default.where if default else WholeFile(first or f"{FOLDERS[0]}/{DEFAULT_LINK}"),
        malformed=tuple(place for unit in units for place in unit.ini.malformed),
    )


def _link(unit: Unit, version: UdevVersion) -> LinkFile:
    return LinkFile(
        path=unit.path,
        where=unit.head,
        macs=tuple(word for word in unit.words("Match", "MACAddress", "PermanentMACAddress") if mac_token(word)),
        names=unit.words("Match", "OriginalName"),
        hardware=unit.words("Match", "Driver", "Path"),
        name=unit.get("Link", "Name"),
        set_mac=mac_token(unit.get("Link", "MACAddress")),
        policies=unit.words("Link", "NamePolicy"),
        altpolicies=unit.words("Link", "AlternativeNamesPolicy"),
        conditions=match_of(unit, MatchKey.KERNEL_NAME, version),
    )
