"""Domains known to libvirt: through its Python binding if that is installed, else through virsh. Connections are read-only."""

from __future__ import annotations

import fnmatch
import glob
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from v2vlint import programs
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.xml_document import read_document

TIMEOUT = 60
# virDomainState, in virsh's words.
_STATES = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")
_SAVED = re.compile(r"^Managed save:\s*yes\s*$", re.MULTILINE)
_OFF = frozenset({"shut off", "crashed", "no state", ""})


@dataclass(frozen=True, slots=True)
class Live:
    """A domain: its inactive XML, its ``state`` when it is not shut off, the names of its snapshots, and the paths of its disks in pools.

    ``volumes`` pairs the target of a disk (``vda``) with its path. ``saved``: libvirt has saved its memory (managed save).
    """

    xml: str
    state: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    saved: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The files and devices of its disks, with their chains of backing files as far as libvirt lists them."""
        try:
            root = read_document("domain", self.xml).root
        except ImageError:
            return ()
        sources = (source for disk in root.iterfind("devices/disk") for source in disk.iter("source"))
        return tuple(path for source in sources if (path := source.get("file") or source.get("dev") or ""))

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """The targets of its disks with their files or devices, without backing files."""
        try:
            root = read_document("domain", self.xml).root
        except ImageError:
            return ()
        disks = ((disk.find("target"), disk.find("source")) for disk in root.iterfind("devices/disk"))
        pairs = (
            (target.get("dev", ""), source.get("file") or source.get("dev") or "")
            for target, source in disks
            if target is not None and source is not None
        )
        return tuple((name, path) for name, path in pairs if path)


def live_domain(name: str, uri: str = "") -> Live:
    """The domain called ``name`` at the connection ``uri`` (libvirt's default when empty). UsageError says why there is none."""
    binding = _binding()
    return _by_binding(binding, name, uri) if binding else _by_virsh(name, uri)


def live_names(pattern: str, uri: str = "") -> tuple[str, ...]:
    """The names of the domains that match a shell pattern, in order; the name itself when it is not a pattern. UsageError when none
    matches.
    """
    if not glob.has_magic(pattern):
        return (pattern,)
    binding = _binding()
    names = _bound_names(binding, pattern, uri) if binding else _virsh(pattern, uri, "list", "--all", "--name").splitlines()
    found = sorted(name for name in map(str.strip, names) if name and fnmatch.fnmatchcase(name, pattern))
    if not found:
        raise UsageError(f"domain:{pattern}: no domain matches", hint="--connect URI says which libvirt to ask")
    return tuple(found)


def _bound_names(libvirt: Any, pattern: str, uri: str) -> list[str]:
    try:
        connection = libvirt.openReadOnly(uri or None)
        try:
            return [domain.name() for domain in connection.listAllDomains()]
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        raise _refused(pattern, str(error)) from error


def _binding() -> Any:
    try:
        import libvirt
    except ImportError:
        return None
    # libvirt would print every error to stderr itself.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return libvirt


def _by_binding(libvirt: Any, name: str, uri: str) -> Live:
    try:
        connection = libvirt.openReadOnly(uri or None)
        try:
            domain = connection.lookupByName(name)
            xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            # A state that this table does not know is at least not "shut off".
            state = _STATES[domain.state()[0]] if domain.state()[0] < len(_STATES) else "running"
            snapshots = tuple(_told(libvirt, domain.snapshotListNames, ()))
            volumes = tuple(_pool_paths(xml, lambda pool, volume: _bound_path(libvirt, connection, pool, volume)))
            saved = bool(_told(libvirt, domain.hasManagedSaveImage, False))
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        raise _refused(name, str(error)) from error
    return Live(xml, "" if state in _OFF else state, snapshots, volumes, saved)


def _told(libvirt: Any, question: Callable[[], Any], otherwise: Any) -> Any:
    """The answer to a question that not every driver of libvirt understands."""
    try:
        return question()
    except libvirt.libvirtError:
        return otherwise


def _bound_path(libvirt: Any, connection: Any, pool: str, volume: str) -> str:
    try:
        return str(connection.storagePoolLookupByName(pool).storageVolLookupByName(volume).path())
    except libvirt.libvirtError:
        return ""


def _by_virsh(name: str, uri: str) -> Live:
    xml = _virsh(name, uri, "dumpxml", "--inactive", "--", name)
    state = _virsh(name, uri, "domstate", "--", name).strip()
    try:
        snapshots = tuple(_virsh(name, uri, "snapshot-list", "--name", "--domain", name).split("\n"))
    except UsageError:
        # Not every driver of libvirt has snapshots.
        snapshots = ()
    volumes = tuple(_pool_paths(xml, lambda pool, volume: _virsh_path(name, uri, pool, volume)))
    saved = bool(_SAVED.search(_virsh(name, uri, "dominfo", "--", name)))
    return Live(xml, "" if state in _OFF else state, tuple(filter(None, snapshots)), volumes, saved)


def _virsh_path(name: str, uri: str, pool: str, volume: str) -> str:
    try:
        return _virsh(name, uri, "vol-path", "--pool", pool, "--vol", volume).strip()
    except UsageError:
        return ""


def _virsh(name: str, uri: str, *command: str) -> str:
    connection = ("--connect", uri) if uri else ()
    virsh = programs.find("virsh")
    if virsh is None:
        hint = "install libvirt-clients or v2vlint[libvirt], or give the disks or the XML"
        raise UsageError(f"domain:{name}: neither virsh nor libvirt's Python binding is installed", hint=hint)
    whole = (virsh, "--readonly", *connection, *command)
    try:
        with programs.starting(virsh):
            done = subprocess.run(whole, capture_output=True, check=True, timeout=TIMEOUT, env=programs.environment())
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"domain:{name}: no answer from libvirt within {TIMEOUT} seconds") from error
    except subprocess.CalledProcessError as error:
        raise _refused(name, error.stderr.decode("utf-8", "replace")) from error
    return done.stdout.decode("utf-8", "replace")


def _refused(name: str, reason: str) -> UsageError:
    lines = [line.removeprefix("error: ") for line in reason.strip().splitlines() if line.strip()]
    return UsageError(f"domain:{name}: {lines[-1] if lines else 'libvirt gave no reason'}", hint="--connect URI says which libvirt to ask")


def _pool_paths(xml: str, find: Any) -> Iterator[tuple[str, str]]:
    """The path of every disk that is a volume of a storage pool, according to ``find(pool, volume)``."""
    try:
        root = read_document("domain", xml).root
    except ImageError:
        return
    for disk in root.iterfind("devices/disk[@type='volume']"):
        source, target = disk.find("source"), disk.find("target")
        if source is not None and target is not None and (path := find(_value(source, "pool"), _value(source, "volume"))):
            yield _value(target, "dev"), path


def _value(element: Element, name: str) -> str:
    return element.get(name, "")
