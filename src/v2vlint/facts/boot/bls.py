"""Boot loader entries as files (Boot Loader Specification, type 1)::

title Fedora Linux (6.1.0) 40
version 6.1.0
linux /vmlinuz-6.1.0
initrd /initramfs-6.1.0.img
options root=UUID=0a3f… ro $tuned_params
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from v2vlint.facts.boot.version_order import systemd_compare
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token, WholeFile

FOLDERS = ("/boot/loader/entries", "/boot/efi/loader/entries", "/efi/loader/entries", "/loader/entries")
MAX_ENTRIES = 500
_FIELD = re.compile(r"\s*(\S+)\s+(.*\S|)\s*$")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_SEGMENT = re.compile(r"\d+|[A-Za-z]+|[~+^]")


@dataclass(frozen=True, slots=True)
class BlsEntry:
    """One entry file. ``id`` is its name without ``.conf``; absent fields are None or empty. ``options`` may be given several times."""

    id: str
    where: WholeFile
    title: Token | None = None
    version: Token | None = None
    machine_id: Token | None = None
    sort_key: Token | None = None
    linux: Token | None = None
    efi: Token | None = None
    initrds: tuple[Token, ...] = ()
    options: tuple[Token, ...] = ()
    architecture: Token | None = None
    uki: Token | None = None
    uki_url: Token | None = None
    devicetree: Token | None = None


@dataclass(frozen=True, slots=True)
class BlsEntries:
    """All entries of all folders that loaders read. ``machine_id`` is the guest's own, empty while it has none (a template)."""

    entries: tuple[BlsEntry, ...] = ()
    machine_id: str = ""


@provides
def parse_bls(fs: GuestFS) -> BlsEntries:
    """Entries below every known folder; one that is visible under two paths (a link or bind mount) counts once per path."""
    entries = tuple(entry for folder in FOLDERS for entry in bls_folder(fs, folder))
    text = fs.text("/etc/machine-id")
    own = text.content.strip() if text else ""
    return BlsEntries(entries, own if _MACHINE_ID.fullmatch(own) else "")


def bls_folder(fs: GuestFS, folder: str, *, any_case: bool = False) -> tuple[BlsEntry, ...]:
    """The entries in ``folder``, by name; hidden files and other suffixes are ignored.

    ``any_case``: suffixes in capitals count, and names that begin with ``auto-`` do not, as systemd-boot has it.
    """
    names = [name for name in fs.listdir(folder) if name.endswith(".conf") and not name.startswith(".") and name != ".conf"]
    if any_case:
        names = [name for name in fs.listdir(folder) if name.lower().endswith(".conf") and not name.lower().startswith((".", "auto-"))]
    found = (_read(fs, f"{folder}/{name}") for name in names[:MAX_ENTRIES])
    return tuple(entry for entry in found if entry)


def _read(fs: GuestFS, path: str) -> BlsEntry | None:
    text = fs.text(path)
    if text is None:
        return None
    fields: dict[str, list[Token]] = {}
    for line in text.lines():
        if not line.is_blank() and (found := _field(line)):
            fields.setdefault(found[0], []).append(found[1])
    single = {name: values[-1] for name, values in fields.items()}
    return BlsEntry(
        id=path.rsplit("/", 1)[1][: -len(".conf")],
        where=WholeFile(path),
        title=single.get("title"),
        version=single.get("version"),
        machine_id=single.get("machine-id"),
        sort_key=single.get("sort-key"),
        linux=single.get("linux"),
        efi=single.get("efi"),
        initrds=tuple(fields.get("initrd", ())),
        options=tuple(fields.get("options", ())),
        architecture=single.get("architecture"),
        uki=single.get("uki"),
        uki_url=single.get("uki-url"),
        devicetree=single.get("devicetree"),
    )


def _field(line: Line) -> tuple[str, Token] | None:
    match = _FIELD.match(line.text)
    return (match[1], line.group(match, 2)) if match and match[2] else None


def grub_order(entries: Iterable[BlsEntry]) -> tuple[BlsEntry, ...]:
    """The order of GRUB's ``blscfg``: file names are parsed as NAME-VERSION-RELEASE and sorted newest first, compared as RPM does."""
    return tuple(sorted(entries, key=functools.cmp_to_key(_by_nvr), reverse=True))


def _by_nvr(left: BlsEntry, right: BlsEntry) -> int:
    for a, b in zip(_nvr(left.id), _nvr(right.id), strict=True):
        if order := compare_versions(a, b):
            return order
    return (left.id > right.id) - (left.id < right.id)


def _nvr(name: str) -> tuple[str, str, str]:
    parts = name.rsplit("-", 2)
    return (*parts, "", "")[:3]  # type: ignore[return-value]


def compare_versions(left: str, right: str) -> int:
    """-1, 0 or 1 as ``left`` is older, equal or newer: numbers compare by value and are newer than letters, ``~`` is oldest, and the longer
    one is newer.
    """
    a, b = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for one, two in zip(a, b, strict=False):
        newer, older = _segment(one), _segment(two)
        if newer != older:
            return 1 if newer > older else -1
    rest = (a[len(b) :] or b[len(a) :] or [""])[0]
    longer = (len(a) > len(b)) - (len(a) < len(b))
    return -longer if rest == "~" else longer


def _segment(text: str) -> tuple[int, int, str]:
    if text in "~^+":
        return {"~": 0, "^": 1, "+": 1}[text], 0, ""
    return (3, int(text[:400]), "") if text.isdigit() else (2, 0, text)  # int() raises an exception for thousands of digits


@dataclass(frozen=True, slots=True)
class SpecKey:
    """The specification's sort key. ``left`` is the number of boot attempts that remain (-1: not counted), ``done`` the number made."""

    id: str
    sort_key: str = ""
    machine_id: str = ""
    version: str = ""
    left: int = -1
    done: int = 0

    @property
    def bad(self) -> bool:
        """Whether no attempts remain: ``+0`` in the file name."""
        return self.left == 0


def spec_compare(a: SpecKey, b: SpecKey) -> int:
    """The order of systemd-boot's menu: entries with ``sort-key`` first (by key, machine id, newest version), then the others by id,
    highest first.
    """
    # boot_entry_compare() of systemd's boot.c.
    if a.bad != b.bad:
        return 1 if a.bad else -1
    if bool(a.sort_key) != bool(b.sort_key):
        return -1 if a.sort_key else 1
    if a.sort_key:
        ours, theirs = (a.sort_key, a.machine_id), (b.sort_key, b.machine_id)
        if ours != theirs:
            return -1 if ours < theirs else 1
        if order := systemd_compare(b.version, a.version):
            return order
    if (order := systemd_compare(b.id, a.id)) or min(a.left, b.left) < 0:
        return order
    return b.left - a.left or a.done - b.done
