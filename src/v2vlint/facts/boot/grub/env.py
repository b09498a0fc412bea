r"""GRUB's environment block (``grubenv``, 1024 bytes), as grub-editenv(1) writes it::

# GRUB Environment Block
saved_entry=6a7…-5.14.0-70.el9.x86_64
kernelopts=root=/dev/mapper/rhel-root ro rd.lvm.lv=rhel/root
###########…
"""

from __future__ import annotations

from v2vlint.facts.syntax.located import Located, join, literal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import WholeFile

_MAGIC = "# GRUB Environment Block\n"  # GRUB_ENVBLK_SIGNATURE (include/grub/lib/envblk.h)


@dataclass(frozen=True, slots=True)
class GrubVariable:
    """One variable. ``value`` is unescaped and has its place."""

    name: str
    value: Located


@dataclass(frozen=True, slots=True)
class GrubEnv:
    """The variables of one block; ``valid`` is false when GRUB would refuse it."""

    where: WholeFile
    variables: tuple[GrubVariable, ...] = ()
    valid: bool = True


def read_grubenv(fs: GuestFS, path: str) -> GrubEnv | None:
    """The environment block at ``path``; None when it does not exist."""
    text = fs.text(path)
    if text is None:
        return None
    where = WholeFile(path)
    if not text.content.startswith(_MAGIC):
        return GrubEnv(where, (), valid=False)
    found = (_variable(text, line) for line in text.lines() if not line.is_blank())
    return GrubEnv(where, tuple(variable for variable in found if variable))


def _variable(text: GuestText, line: Line) -> GrubVariable | None:
    name, equals, _value = line.text.partition("=")
    if not equals:
        return None
    start, end = line.start + len(name) + 1, line.start + len(line.text)
    return GrubVariable(name, _unescape(text, start, end))


def _unescape(text: GuestText, start: int, end: int) -> Located:
    parts: list[Located] = []
    position = start
    while position < end:
        stop = text.content.find("\\", position, end)
        parts.append(literal(text, position, end if stop < 0 else stop))
        if stop < 0:
            break
        parts.append(literal(text, stop + 1, min(stop + 2, end)))
        position = stop + 2
    return join(parts)
