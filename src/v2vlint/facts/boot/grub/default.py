"""What grub-mkconfig reads: ``/etc/default/grub`` and ``/etc/default/grub.d/*.cfg`` (GRUB manual, "Simple configuration handling")::

    GRUB_DEFAULT=saved
    GRUB_CMDLINE_LINUX="root=/dev/sda1 console=ttyS0"
    GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX quiet"

Also SUSE's ``/etc/sysconfig/bootloader`` and Red Hat's legacy ``/etc/sysconfig/grub``. Assignments are parsed, never executed.
"""

from __future__ import annotations

import itertools
import re

from v2vlint.facts.boot.cmdline import KernelArg, split_args
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.located import Located
from v2vlint.facts.syntax.shell import assignments
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, Where, WholeFile

PATH = "/etc/default/grub"
DROP_INS = "/etc/default/grub.d"
SUSE = "/etc/sysconfig/bootloader"
RED_HAT = "/etc/sysconfig/grub"
MAX_ASSIGNMENTS = 2000

_KERNEL = re.compile(r"GRUB_CMDLINE_\w+|(?:DEFAULT|FAILSAFE|XEN|XEN_KERNEL|IMAGE)_APPEND")


@dataclass(frozen=True, slots=True)
class GrubSetting:
    """The final value of a variable. ``args`` are the kernel arguments in it, each with its place, in whatever file.

    ``where`` is the effective assignment; ``value_at`` is its value as one editable token, None when it is composed of several.
    """

    name: str
    value: str
    where: Where
    value_at: Token | None = None
    args: tuple[KernelArg, ...] = ()

    @property
    def is_quoted(self) -> bool:
        """Whether words can be added to the value as they are. ``where`` has the quotes, ``value_at`` has not."""
        return self.value_at is None or not isinstance(self.where, Span) or self.where.end > self.value_at.where.end


@dataclass(frozen=True, slots=True)
class GrubDefaults:
    """The effective settings, in order of their last assignment; ``files`` are the existing files, ``malformed`` the lines that are not
    assignments.
    """

    settings: tuple[GrubSetting, ...] = ()
    files: tuple[str, ...] = ()
    malformed: tuple[Span, ...] = ()
    where: WholeFile = WholeFile(PATH)

    def get(self, name: str) -> GrubSetting | None:
        """The setting ``name``, or None when it is not assigned."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def value(self, name: str) -> str:
        """The value of ``name``, or an empty string."""
        setting = self.get(name)
        return setting.value if setting else ""

    @property
    def args(self) -> tuple[KernelArg, ...]:
        """All kernel arguments of all ``GRUB_CMDLINE_*`` (and SUSE's ``*_APPEND``) settings; an argument at one place counts once."""
        return tuple(dict.fromkeys(arg for setting in self.settings for arg in setting.args))


@provides
def parse_grub_defaults(fs: GuestFS) -> GrubDefaults:
    """The guest's settings for grub-mkconfig. Missing files count as empty."""
    names = [name for name in fs.listdir(DROP_INS) if name.endswith(".cfg")]
    paths = [PATH, *(f"{DROP_INS}/{name}" for name in names), SUSE]
    # With GRUB 2 it is a link to /etc/default/grub, which must not be read twice.
    if fs.readlink(RED_HAT) is None:
        paths.append(RED_HAT)
    texts = [text for path in paths if (text := fs.text(path)) is not None]
    return grub_defaults_from(texts)


def grub_defaults_from(texts: list[GuestText]) -> GrubDefaults:
    """The settings after reading ``texts`` in order."""
    values: dict[str, Located] = {}
    places: dict[str, Span] = {}
    malformed: list[Span] = []
    found = (one for text in texts for one in itertools.islice(assignments(text), MAX_ASSIGNMENTS))
    for one in found:
        if isinstance(one, Span):
            malformed.append(one)
            continue
        value = one.value(values)
        before = values.pop(one.name, Located())
        values[one.name] = before + value if one.adds else value
        places[one.name] = one.written
    settings = tuple(_setting(name, value, places[name]) for name, value in values.items())
    return GrubDefaults(settings, tuple(text.path for text in texts), tuple(malformed))


def _setting(name: str, value: Located, where: Span) -> GrubSetting:
    args = split_args(value) if _KERNEL.fullmatch(name) else ()
    return GrubSetting(name, value.text, where, value.token, args)
