"""Software for one hypervisor or cloud: guest additions, agents, and what their installers leave behind."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from v2vlint.facts.environment.services import Services
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.plain import Table

_TABLE = Path(__file__).with_name("guest_tools.toml")


@dataclass(frozen=True, slots=True)
class GuestAgent:
    """The program that a host communicates with: its usual package and path, and the families that can replace it."""

    package: str
    program: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Family:
    packages: tuple[str, ...]
    paths: tuple[str, ...]
    globs: tuple[str, ...]
    services: tuple[str, ...]
    repositories: tuple[str, ...]
    vendor: str
    cloud: str
    agent: GuestAgent | None


@dataclass(frozen=True, slots=True)
class GuestTool:
    """One piece of evidence. ``family`` is a table in ``guest_tools.toml`` (``vmware-tools``, ``qemu``, ``azure``…); ``name`` is the
    package or file; ``package`` says which."""

    family: str
    name: str
    where: Where
    package: bool


@dataclass(frozen=True, slots=True)
class GuestTools:
    """Everything found. ``running`` are the families with a service that starts at boot."""

    tools: tuple[GuestTool, ...] = ()
    running: frozenset[str] = frozenset()

    def of(self, *families: str) -> tuple[GuestTool, ...]:
        """The evidence of some families, packages first."""
        return tuple(sorted((tool for tool in self.tools if tool.family in families), key=lambda tool: not tool.package))

    def words(self, *families: str) -> str:
        """The names of the evidence as text, at most three."""
        names = [tool.name for tool in self.of(*families)]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@provides
def find_guest_tools(fs: GuestFS, packages: Packages, services: Services) -> GuestTools:
    """Search by package, file and service link."""
    running = frozenset(name for name, family in _families().items() if services.starts(*family.services))
    return GuestTools((*_packaged(packages), *_unpackaged(fs)), running)


def families() -> frozenset[str]:
    """All known families."""
    return frozenset(_families())


def agent_called(family: str) -> GuestAgent | None:
    """The agent of a family; None when the family is unknown or has no agent that a host talks to."""
    known = _families().get(family)
    return known.agent if known else None


def cloud_agents() -> dict[str, str]:
    """The families that are a cloud's agent, with the name of the cloud."""
    return {name: family.cloud for name, family in _families().items() if family.cloud}


def vendor_of_host(host: str) -> tuple[str, str]:
    """The tool family and the vendor of a package source's host; empty strings for any other host."""
    for name, family in _families().items():
        if any(host == own or host.endswith(f".{own}") for own in family.repositories):
            return name, family.vendor
    return "", ""


@cache
def _families() -> dict[str, _Family]:
    return {name: _family(data) for name, data in tomllib.loads(_TABLE.read_text("utf-8")).items()}


def _family(data: Table) -> _Family:
    packages, paths, globs, services, hosts = (
        tuple(data.get(key, ())) for key in ("packages", "paths", "globs", "services", "repositories")
    )
    agent = data.get("agent")
    found = GuestAgent(agent["package"], agent["program"], tuple(agent.get("instead", ()))) if agent else None
    return _Family(packages, paths, globs, services, hosts, data.get("vendor", ""), data.get("cloud", ""), found)


def _packaged(packages: Packages) -> Iterator[GuestTool]:
    for name, family in _families().items():
        for package in packages.matching(*family.packages):
            yield GuestTool(name, package.name, package.where, True)


def _unpackaged(fs: GuestFS) -> Iterator[GuestTool]:
    for name, family in _families().items():
        paths = (*(path for path in family.paths if fs.exists(path)), *(path for pattern in family.globs for path in fs.glob(pattern)))
        yield from (GuestTool(name, path, WholeFile(path), False) for path in paths)
