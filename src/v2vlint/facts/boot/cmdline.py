"""Kernel command lines: their arguments with places (kernel-parameters(7), bootparam(7)), from any source.

An argument is ``name`` or ``name=value``; double quotes protect blanks. If an argument is repeated, the last one counts for ``root=`` and
``resume=``, while ``rd.lvm.lv=`` or ``console=`` add up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from v2vlint.facts.kernel.kernels import version_key
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.located import Located, literal
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token, Where, WholeFile

KERNEL_CMDLINE = "/etc/kernel/cmdline"
MAX_ARGS = 4096


@dataclass(frozen=True, slots=True)
class KernelArg:
    """One argument. ``value`` is None for a bare name, and has no quotes.

    ``where`` is the whole argument; ``token`` and ``value_at`` are it and its value as editable text, None when they are assembled from
    variables, or escaped.
    """

    name: str
    value: str | None
    where: Where
    value_at: Token | None = None
    token: Token | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


def last_arg(args: Iterable[KernelArg], name: str) -> KernelArg | None:
    """The effective argument ``name``: the last one."""
    return next((arg for arg in reversed(tuple(args)) if arg.name == name), None)


def all_args(args: Iterable[KernelArg], *names: str) -> tuple[KernelArg, ...]:
    """Every argument called any of ``names``, in order."""
    return tuple(arg for arg in args if arg.name in names)


def kernel_args(args: Iterable[KernelArg], version: str = "") -> tuple[KernelArg, ...]:
    """Those that the kernel itself reads: up to ``--``, behind which all is for init (``parse_args()`` of kernel/params.c, since 3.15).
    What reads /proc/cmdline takes all of it: systemd, kmod, the scripts of an initramfs.
    """
    found = tuple(args)
    if version and version_key(version)[:2] < version_key("3.15"):
        return found
    return tuple(itertools.takewhile(lambda arg: arg.name != "--" or arg.value is not None, found))


def split_args(line: Located) -> tuple[KernelArg, ...]:
    """The arguments of a command line; those beyond :data:`MAX_ARGS` are dropped, as the kernel's own buffer would."""
    args: list[KernelArg] = []
    for start, end in _words(line.text):
        if len(args) >= MAX_ARGS:
            break
        args.append(_arg(line.part(start, end)))
    return tuple(args)


def plain_args(line: str, where: Where) -> tuple[KernelArg, ...]:
    """The arguments of a command line that is not in a text file (a section of a UKI): all of them are at ``where``."""
    source = GuestText("", line)
    args = split_args(literal(source, 0, len(line)))
    return tuple(KernelArg(arg.name, arg.value, where) for arg in args)


def word_args(words: Iterable[Located], where: Where | None = None) -> tuple[KernelArg, ...]:
    """Arguments from words that are already split and unquoted; those that come from no file are at ``where``."""
    return tuple(_arg(word, where) for word in words if word)


def _words(text: str) -> Iterable[tuple[int, int]]:
    start, quoted = -1, False
    for position, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        if char.isspace() and not quoted:
            if start >= 0:
                yield start, position
            start = -1
        elif start < 0:
            start = position
    if start >= 0:
        yield start, len(text)


def _arg(word: Located, where: Where | None = None) -> KernelArg:
    text, place = word.text, word.where if word.runs or where is None else where
    # next_arg() of the kernel's lib/cmdline.c: quotes around the whole argument, or around its value.
    if len(text) > 1 and text[0] == text[-1] == '"':
        inner = word.part(1, len(text) - 1)
        word, text = (inner, inner.text) if inner else (word, text)
    equals = text.find("=")
    if equals < 0:
        return KernelArg(text, None, place, token=word.token)
    begin, end = equals + 1, len(text)
    if end - begin > 1 and text[begin] == text[end - 1] == '"':
        begin, end = begin + 1, end - 1
    value = word.part(begin, end)
    return KernelArg(text[:equals], value.text, place, value.token, word.token)


@dataclass(frozen=True, slots=True)
class KernelCmdline:
    """``/etc/kernel/cmdline``: what kernel-install(8) and ukify(1) write into the entries of kernels installed *later*."""

    args: tuple[KernelArg, ...] = ()
    where: WholeFile = WholeFile(KERNEL_CMDLINE)


@provides
def parse_kernel_cmdline(fs: GuestFS) -> KernelCmdline:
    """The guest's ``/etc/kernel/cmdline``. A missing file counts as empty; lines starting with ``#`` are comments."""
    text = fs.text(KERNEL_CMDLINE)
    if text is None:
        return KernelCmdline()
    lines = (literal(text, line.start, line.start + len(line.text)) for line in text.lines() if not line.is_blank())
    return KernelCmdline(tuple(arg for line in lines for arg in split_args(line)))
