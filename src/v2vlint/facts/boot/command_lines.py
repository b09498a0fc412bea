"""Every place of a kernel command line, so that a change can be made in all of them: live entries and their sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, KernelCmdline, split_args
from v2vlint.facts.boot.grub.default import GrubDefaults
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.located import Located, literal
from v2vlint.facts.syntax.shell_source import sh_is_bash, sourced_values
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

# Debian's update-grub (legacy) keeps its settings in comments of menu.lst.
_KOPT = re.compile(r"^# (?:kopt|kopt_[\w.]+|defoptions|altoptions|xenkopt)=(.*)$", re.MULTILINE)
_ALPINE, _EXTLINUX = "/etc/update-extlinux.conf", "/etc/default/extlinux"


@dataclass(frozen=True, slots=True)
class Padding:
    """The ``#`` characters that fill up a GRUB environment block: ``size`` of them before the end of the file."""

    end: Span
    size: int


@dataclass(frozen=True, slots=True)
class CommandLines:
    """``live`` are the arguments of this guest's menu entries, ``sources`` those that generators will write into future ones.

    An argument reached through a variable, or used by several entries, is included once per place.
    """

    live: tuple[KernelArg, ...] = ()
    sources: tuple[KernelArg, ...] = ()
    paddings: tuple[Padding, ...] = ()

    def uses(self, name: str, value: str) -> tuple[KernelArg, ...]:
        """Every place giving argument ``name`` this value."""
        return tuple(arg for arg in (*self.live, *self.sources) if arg.name == name and arg.value == value)

    def replace_value(self, name: str, old: str, new: str) -> tuple[ReplaceText, ...]:
        """Edits that give ``name`` the value ``new`` wherever it has ``old``; none when one of the places cannot be edited."""
        return self._edit(self.uses(name, old), lambda arg: arg.value_at, new)

    def replace_arg(self, name: str, value: str, text: str) -> tuple[ReplaceText, ...]:
        """Edits that replace the whole argument with ``text`` (may be empty) wherever it has this value."""
        return self._edit(self.uses(name, value), lambda arg: arg.token, text)

    def append(self, texts: Mapping[KernelArg, str]) -> tuple[ReplaceText, ...]:
        """Edits that insert a text after each of these arguments; none when one of the places cannot be edited."""
        places = [(arg.token, text) for arg, text in texts.items()]
        if not all(token for token, _text in places):
            return ()
        return self._balanced([ReplaceText(_after(token), "", text) for token, text in places if token])

    def _edit(self, args: Iterable[KernelArg], part: Callable[[KernelArg], Token | None], text: str) -> tuple[ReplaceText, ...]:
        tokens = [part(arg) for arg in args]
        if not all(tokens):
            return ()
        return self._balanced([ReplaceText(token.where, token.value, text) for token in tokens if token])

    def _balanced(self, edits: list[ReplaceText]) -> tuple[ReplaceText, ...]:
        """The edits, with a GRUB environment block kept at its size, as GRUB saves it in place: additions are taken from the padding."""
        for padding in self.paddings:
            mine = [edit for edit in edits if edit.where.path == padding.end.path]
            grow = sum(len(edit.text.encode()) - len(edit.expect.encode("utf-8", "surrogateescape")) for edit in mine)
            if grow > padding.size:
                return ()
            if grow:
                edits = [*edits, _pad(padding, grow)]
        return tuple(dict.fromkeys(edits))


def _after(token: Token) -> Span:
    where = token.where
    return Span(where.path, where.end, where.end, where.line, where.column + len(token.value))


def _pad(padding: Padding, grow: int) -> ReplaceText:
    end = padding.end
    if grow < 0:
        return ReplaceText(end, "", "#" * -grow)
    return ReplaceText(Span(end.path, end.end - grow, end.end, end.line, end.column - grow), "#" * grow, "")


@provides
def find_command_lines(fs: GuestFS, bootloader: Bootloader, defaults: GrubDefaults | None, cmdline: KernelCmdline | None) -> CommandLines:
    """All command lines of the guest; of one with a locked root, those on its /boot, by which it starts."""
    live = dict.fromkeys(arg for entry in bootloader.all_entries for arg in entry.args)
    settings = (*(defaults.args if defaults else ()), *(cmdline.args if cmdline else ()))
    sources = dict.fromkeys((*settings, *(_generators(fs, bootloader) if defaults else _legacy(fs, bootloader))))
    blocks = {path for menu in bootloader.menus for path in menu.files if path.endswith("/grubenv")}
    paddings = (_padding(fs.text(path)) for path in sorted(blocks))
    return CommandLines(tuple(live), tuple(sources), tuple(padding for padding in paddings if padding))


def _padding(text: GuestText | None) -> Padding | None:
    content = text.content if text else ""
    if text is None or len(content) != 1024:  # DEFAULT_ENVBLK_SIZE of util/grub-editenv.c
        return None
    return Padding(text.span(1024, 1024), 1024 - len(content.rstrip("#")))


def _legacy(fs: GuestFS, bootloader: Bootloader) -> list[KernelArg]:
    """Arguments in the settings of Debian's update-grub (legacy), which are in its menu."""
    legacy = [menu.config.path for menu in bootloader.menus if menu.loader == "grub-legacy"]
    return [arg for path in legacy for arg in _commented(fs.text(path))]


def _generators(fs: GuestFS, bootloader: Bootloader) -> list[KernelArg]:
    """Arguments in the settings of other generators: Debian's update-grub (legacy), Alpine's and Debian's update-extlinux."""
    lines = (*_values(fs, _ALPINE, "default_kernel_opts"), *_values(fs, _EXTLINUX, "EXTLINUX_ROOT", "EXTLINUX_PARAMETERS"))
    roots = (value.token for value in _values(fs, _ALPINE, "root"))
    return [
        *_legacy(fs, bootloader),
        *(arg for line in lines for arg in split_args(line)),
        *(KernelArg("root", token.value, token.where, token, token) for token in roots if token),
    ]


def _commented(text: GuestText | None) -> list[KernelArg]:
    if text is None:
        return []
    lines = (literal(text, match.start(1), match.end(1)) for match in _KOPT.finditer(text.content))
    return [arg for line in lines for arg in split_args(line)]


def _values(fs: GuestFS, path: str, *names: str) -> list[Located]:
    """The values of settings in a file that a shell sources; none for one that cannot be told."""
    run = sourced_values([fs.text(path)], bash=sh_is_bash(fs), fs=fs)
    return [run.get(name).text for name in names if run.get(name).last is not None]
