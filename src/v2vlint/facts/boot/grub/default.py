"""What grub-mkconfig reads: ``/etc/default/grub`` and ``/etc/default/grub.d/*.cfg`` (GRUB manual, "Simple configuration handling")::

    GRUB_DEFAULT=saved
    GRUB_CMDLINE_LINUX="root=/dev/sda1 console=ttyS0"
    GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX quiet"

Also SUSE's ``/etc/sysconfig/bootloader`` and Red Hat's legacy ``/etc/sysconfig/grub``. Assignments are parsed, never executed.
"""

from __future__ import annotations

import re

from v2vlint.facts.boot.cmdline import KernelArg, split_args
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.shell_run import ShellValue
from v2vlint.facts.syntax.shell_source import sh_is_bash, sourced_values
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
class UntoldSetting:
    """A variable whose value is not known. ``is_arguments``: it holds kernel arguments."""

    name: str
    where: Where
    why: str
    is_arguments: bool = False


@dataclass(frozen=True, slots=True)
class GrubDefaults:
    """The effective settings, in order of their last assignment; ``files`` are the existing files, ``malformed`` the lines that are not
    assignments. ``untold`` are the settings whose value cannot be told: a condition or a command decides.
    """

    settings: tuple[GrubSetting, ...] = ()
    untold: tuple[UntoldSetting, ...] = ()
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
    # Each group has a reader of its own. With GRUB 2, Red Hat's is a link to /etc/default/grub, which must not be read twice.
    groups = [[PATH, *(f"{DROP_INS}/{name}" for name in names)], [SUSE], [RED_HAT] if fs.readlink(RED_HAT) is None else []]
    texts = ([text for path in paths if (text := fs.text(path)) is not None] for paths in groups)
    found = [grub_defaults_from(group, bash=sh_is_bash(fs), fs=fs) for group in texts]
    return GrubDefaults(
        tuple({one.name: one for each in found for one in each.settings}.values()),
        tuple(one for each in found for one in each.untold),
        tuple(path for each in found for path in each.files),
        tuple(place for each in found for place in each.malformed),
    )


def grub_defaults_from(texts: list[GuestText], *, bash: bool = True, fs: GuestFS | None = None) -> GrubDefaults:
    """The settings after reading ``texts`` in order; ``bash`` says whether /bin/sh is bash."""
    run = sourced_values(texts, bash=bash, fs=fs)
    found = list(run.values.items())[-MAX_ASSIGNMENTS:]
    settings = tuple(_setting(name, value) for name, value in found if value.last is not None and not value.why)
    untold = tuple(_untold(name, value) for name, value in found if value.why)
    return GrubDefaults(settings, untold, tuple(text.path for text in texts), tuple(run.commands))


def _setting(name: str, value: ShellValue) -> GrubSetting:
    assert value.last is not None, "it is set"
    args = split_args(value.text) if _KERNEL.fullmatch(name) else ()
    return GrubSetting(name, value.text.text, value.last.written, value.text.token, args)


def _untold(name: str, value: ShellValue) -> UntoldSetting:
    return UntoldSetting(name, value.where or WholeFile(PATH), value.why, _KERNEL.fullmatch(name) is not None)
