r"""``/etc/fstab`` (fstab(5)).

Typical input::

    UUID=0a3f…  /      ext4  errors=remount-ro  0  1
    /dev/sda5   none   swap  sw                 0  0
    /srv/a\040b /mnt   none  bind
"""

from __future__ import annotations

import posixpath
from dataclasses import replace

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.octal import unescaped
from v2vlint.model.place import Span, Token, WholeFile

PATH = "/etc/fstab"
# As many as the kernel follows (MAXSYMLINKS).
_MAX_LINKS = 40

_PSEUDO = frozenset({
    "proc", "sysfs", "tmpfs", "devpts", "devtmpfs", "cgroup", "cgroup2", "debugfs", "securityfs", "tracefs", "configfs",
    "fusectl", "hugetlbfs", "mqueue", "pstore", "efivarfs", "binfmt_misc", "overlay", "ramfs", "usbfs", "selinuxfs",
})  # fmt: skip
_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smbfs",
        "smb3",
        "glusterfs",
        "ceph",
        "fuse.sshfs",
        "sshfs",
        "ncpfs",
        "afs",
        "lustre",
        "davfs",
    }
)


@dataclass(frozen=True, slots=True)
class FstabEntry:
    """One entry. ``spec`` has its own place so that a fix can replace only that; ``mount_point`` and ``fs_type`` are unescaped.

    ``options`` defaults to ``("defaults",)``, ``dump`` and ``passno`` to 0, as in fstab(5). ``mount_point`` is ``none`` for swap. ``unit``
    is the name of a native unit, and empty for a line of fstab. ``leads_to`` is where the links in ``mount_point`` lead, if there are any.
    """

    spec: Token
    mount_point: str
    fs_type: str
    options: tuple[str, ...]
    where: Span
    options_at: Span | None = None
    dump: int = 0
    passno: int = 0
    unit: str = ""
    leads_to: str = ""

    @property
    def place(self) -> str:
        """The mount point without links in it, which mount(8) and systemd-fstab-generator follow."""
        return self.leads_to or self.mount_point

    @property
    def device(self) -> str:
        """The spec without escapes and quotes: ``UUID=…``, ``/dev/sda1``, ``server:/export``."""
        tag, equals, value = unescaped(self.spec.value).partition("=")
        return f"{tag}={value.strip(chr(34))}" if equals and not tag.startswith("/") else unescaped(self.spec.value)

    @property
    def is_swap(self) -> bool:
        """Whether this is swap space."""
        return self.fs_type == "swap"

    @property
    def is_pseudo(self) -> bool:
        """Whether it has no device: kernel filesystems, tmpfs, bind mounts."""
        return self.fs_type in _PSEUDO or self.is_bind

    @property
    def is_bind(self) -> bool:
        """Whether it mounts one directory on another."""
        return bool({"bind", "rbind"} & set(self.options))

    @property
    def is_network(self) -> bool:
        """Whether systemd treats it as a remote filesystem."""
        return self.fs_type in _NETWORK or "_netdev" in self.options

    @property
    def noauto(self) -> bool:
        """Whether it is not mounted at boot: the last of ``auto`` and ``noauto`` counts."""
        return self._last("noauto", "auto")

    @property
    def nofail(self) -> bool:
        """Whether a failure to mount it is ignored: the last of ``fail`` and ``nofail`` counts."""
        return self._last("nofail", "fail")

    def _last(self, yes: str, no: str) -> bool:
        return next((option == yes for option in reversed(self.options) if option in (yes, no)), False)

    def option(self, name: str) -> str | None:
        """The value of option ``name`` (empty for a flag), or None."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Fstab:
    """All entries in file order; invalid lines are kept in ``malformed``. ``short`` are those among them that have two fields: mount(8) and
    the rest of libmount ignore them, systemd-fstab-generator makes units of them, as getmntent(3) of the C library does not mind.
    """

    entries: tuple[FstabEntry, ...] = ()
    malformed: tuple[Span, ...] = ()
    short: tuple[FstabEntry, ...] = ()
    where: WholeFile = WholeFile(PATH)

    def entry(self, mount_point: str) -> FstabEntry | None:
        """The entry in effect for ``mount_point``: the last one, which mount -a leaves on top."""
        return next((entry for entry in reversed(self.entries) if entry.mount_point == mount_point), None)


@provides
def parse_fstab(fs: GuestFS) -> Fstab:
    """The guest's fstab. A missing file counts as empty."""
    text = fs.text(PATH)
    if text is None:
        return Fstab()
    read = fstab_from(text)
    entries, short = (tuple(_followed(fs, entry) for entry in kind) for kind in (read.entries, read.short))
    return replace(read, entries=entries, short=short)


def _followed(fs: GuestFS, entry: FstabEntry) -> FstabEntry:
    path = entry.mount_point
    for _ in range(_MAX_LINKS if path.startswith("/") else 0):
        path, link = _one_link(fs, path)
        if not link:
            break
    return entry if path == entry.mount_point else replace(entry, leads_to=path)


def _one_link(fs: GuestFS, path: str) -> tuple[str, bool]:
    """``path`` with its existing part resolved, and whether a link follows that leads to nothing; such a link has been followed."""
    parts = path.strip("/").split("/")
    try:
        for count in range(len(parts), 0, -1):
            head, rest = "/" + "/".join(parts[:count]), "/".join(parts[count:])
            if (real := fs.resolve(head)) is not None:
                return (path if ".." in parts[count:] else posixpath.normpath(f"{real}/{rest}")), False
            if (link := fs.readlink(head)) is not None:
                return posixpath.normpath(posixpath.join(posixpath.dirname(head), link, rest)), True
    except FactUnavailable:
        pass
    return path, False


def fstab_from(text: GuestText) -> Fstab:
    """Parse the text of an fstab."""
    entries: list[FstabEntry] = []
    short: list[FstabEntry] = []
    malformed: list[Span] = []
    for line in text.lines():
        if line.is_blank():
            continue
        entry = _entry(line)
        if entry is not None and entry.fs_type:
            entries.append(entry)
            continue
        malformed.append(line.where)
        if entry is not None:
            short.append(replace(entry, fs_type="auto"))
    return Fstab(tuple(entries), tuple(malformed), short=tuple(short))


def _entry(line: Line) -> FstabEntry | None:
    """The entry of a line; with an empty type when it has only two fields, None when it has fewer."""
    words = line.words()
    comment = next((index for index, word in enumerate(words) if word.value.startswith("#")), len(words))
    words = words[:comment]
    if len(words) < 2:
        return None
    options = words[3] if len(words) > 3 else None
    return FstabEntry(
        spec=words[0],
        mount_point=_mount_point(unescaped(words[1].value)),
        fs_type=words[2].value if len(words) > 2 else "",
        options=tuple(options.value.split(",")) if options else ("defaults",),
        where=line.where,
        options_at=options.where if options else None,
        dump=_number(words, 4),
        passno=_number(words, 5),
    )


def _mount_point(text: str) -> str:
    return "none" if text in ("none", "swap", "-") else (text.rstrip("/") or "/")


def _number(words: tuple[Token, ...], index: int) -> int:
    return decimal(words[index].value) if index < len(words) and words[index].value.isdecimal() else 0
