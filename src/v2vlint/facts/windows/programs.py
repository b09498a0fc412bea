"""Programs installed in Windows (the ``Uninstall`` keys, including those of 32-bit programs), and those that belong to a hypervisor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.guest_tools import tool_families
from v2vlint.facts.windows.registry import RegistryNode, SoftwareHive, subkeys
from v2vlint.facts.windows.services import DISABLED, WindowsService, WindowsServices
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import RegistryKey

_UNINSTALL = ("Microsoft\\Windows\\CurrentVersion\\Uninstall", "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall")
_ANTIVIRUS = re.compile(
    r"virus|anti-?malware|kaspersky|mcafee|trellix|fireeye|\bnorton|symantec|sophos|apex ?one|trend ?micro|officescan|worry-free business|"
    r"deep security agent|bitdefender|crowdstrike|sentinel ?(?:one|agent)|\beset\b|avast|\bavg\b|avira|f-secure|withsecure|webroot|cylance|"
    r"carbon ?black|\bcb defense|cortex xdr|palo alto networks.*traps|\btraps \d|forticlient|fortiedr|malwarebytes|g ?data security|"
    r"\bpanda (?:endpoint|adaptive|dome|cloud|security)|watchguard endpoint|check point endpoint|harmony endpoint|cybereason|comodo|"
    r"deep instinct|elastic (?:agent|endpoint)|vipre|\bdr\.? ?web|ahnlab|quick heal|cisco secure endpoint|morphisec",
    re.IGNORECASE,
)
"""Antivirus and endpoint protection products: both guard drivers. libguestfs knows five of the vendors
(``lib/inspect-apps.c``)."""


@dataclass(frozen=True, slots=True)
class WindowsProgram:
    """An installed program: ``name`` is its name in the list of programs, ``key`` Windows' own identifier (often a product's GUID)."""

    name: str
    version: str
    publisher: str
    where: RegistryKey
    folder: str = ""
    url: str = ""
    comments: str = ""

    @property
    def key(self) -> str:
        """Its key below ``Uninstall``."""
        return self.where.key.rsplit("\\", 1)[-1]

    @property
    def guards(self) -> bool:
        """Whether it is an antivirus or endpoint protection product."""
        return _ANTIVIRUS.search(f"{self.key}\n{self.name}\n{self.publisher}") is not None

    @property
    def title(self) -> str:
        """Name and version, unless the name includes the version."""
        head = ".".join(self.version.split(".")[:2])
        return self.name if not head or head in self.name else f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class WindowsTools:
    """Software of one hypervisor: its ``programs``, and its ``services`` that are not disabled."""

    programs: tuple[WindowsProgram, ...]
    services: tuple[WindowsService, ...]

    @property
    def early(self) -> tuple[WindowsService, ...]:
        """The drivers started by the boot loader or the kernel."""
        return tuple(service for service in self.services if service.is_driver and service.starts_early)

    @property
    def where(self) -> RegistryKey | None:
        """The first place to show; None when nothing is installed."""
        places = [one.where for one in self.programs] + [one.where for one in self.services]
        return next(iter(places), None)

    @property
    def words(self) -> str:
        """The programs and services as text."""
        programs = ", ".join(one.title for one in self.programs)
        names = [one.name for one in self.services]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        return "; ".join(part for part in (programs, f"services {shown}" if names else "") if part)


@dataclass(frozen=True, slots=True)
class WindowsPrograms:
    """All programs, the antivirus products among them, and hypervisor tools by family: ``vmware-tools``, ``xen``…"""

    programs: tuple[WindowsProgram, ...]
    antivirus: tuple[WindowsProgram, ...]
    tools: tuple[tuple[str, WindowsTools], ...]

    def left_by(self, family: str) -> WindowsTools:
        """The tools of one family, possibly none."""
        return dict(self.tools).get(family, WindowsTools((), ()))


@dataclass(frozen=True, slots=True)
class InstalledPrograms:
    """The programs that the hive SOFTWARE lists under a name; 64-bit ones (or those of a 32-bit Windows) come first."""

    programs: tuple[WindowsProgram, ...]


@provides
def list_programs(software: SoftwareHive) -> InstalledPrograms:
    """Read the list of programs; empty without the hive."""
    return InstalledPrograms(tuple(_installed(software.top)) if software.top else ())


@provides
def parse_programs(installed: InstalledPrograms, services: WindowsServices) -> WindowsPrograms:
    """Classify the programs, and look up the services of each hypervisor's tools."""
    programs = installed.programs
    guards = tuple(one for one in programs if one.guards)
    return WindowsPrograms(programs, guards, tuple((family, _tools(family, programs, services)) for family in tool_families()))


def _installed(software: RegistryNode) -> Iterator[WindowsProgram]:
    for path in _UNINSTALL:
        for key in subkeys(software.key(path)):
            values = {value.name.lower(): value.text.strip() for value in key.values()}
            if shown := values.get("displayname"):
                yield WindowsProgram(
                    shown,
                    values.get("displayversion", ""),
                    values.get("publisher", ""),
                    key.where,
                    values.get("installlocation", ""),
                    values.get("urlinfoabout", ""),
                    values.get("comments", ""),
                )


def _tools(family: str, programs: tuple[WindowsProgram, ...], services: WindowsServices) -> WindowsTools:
    known = tool_families()[family]
    mine = tuple(one for one in programs if known.program.search(one.name))
    return WindowsTools(mine, tuple(one for one in services.named(*known.services) if one.effective != DISABLED))
