"""What ``test``, ``[``, ``true`` and ``false`` answer, as far as the guest and the variables tell it::

[ -f /etc/sysconfig/bootloader ] && . /etc/sysconfig/bootloader
test -z "$GRUB_CMDLINE_LINUX" && GRUB_CMDLINE_LINUX=quiet
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.facts.syntax.shell import ShellWord
from v2vlint.facts.syntax.shell_run import ShellRun
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span

# Folders that are the same at boot as in the image.
_KEPT = ("/etc/", "/usr/", "/lib/", "/bin/", "/sbin/")
_WHOLE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"", re.DOTALL)
_PLAIN = re.compile(r"[\w./:=!@%+,-]+|'[^']*'", re.ASCII)
_ON_FILES: dict[str, Callable[[Stat], bool]] = {
    "-e": lambda stat: True,
    "-r": lambda stat: True,  # root may read everything
    "-f": lambda stat: stat.kind is Kind.FILE,
    "-d": lambda stat: stat.kind is Kind.DIR,
    "-x": lambda stat: stat.kind is Kind.DIR or bool(stat.mode & 0o111),
    "-s": lambda stat: stat.size > 0 if stat.kind is Kind.FILE else True,
}


def answer(shell: ShellRun, name: str, args: Sequence[ShellWord], raw: Callable[[ShellWord], str], where: Span) -> bool | None:
    """Whether the command ``name`` succeeds with ``args``; None if that cannot be told. ``raw`` is a word as written."""
    if name not in ("test", "["):
        return name != "false"
    operands = args if name == "test" else args[:-1]
    if name == "[" and (not args or raw(args[-1]) != "]"):
        return None
    values = [_value(shell, word, raw(word), where) for word in operands]
    known = [value for value in values if value is not None]
    return _answer(shell, known) if len(known) == len(values) else None


def _value(shell: ShellRun, word: ShellWord, written: str, where: Span) -> str | None:
    """What a word becomes if that is one word for certain."""
    if word.items is not None or word.ansi or not (_PLAIN.fullmatch(written) or _WHOLE.fullmatch(written)):
        return None
    value = shell.expand(word.parts, where)
    return None if value.why else value.text.text


def _answer(shell: ShellRun, args: Sequence[str]) -> bool | None:
    """POSIX decides by the number of arguments, of which it knows up to four; of three, an operator in the middle counts first."""
    if len(args) > 4:
        return None
    if len(args) < 2:
        return bool(args and args[0])
    if len(args) == 3 and args[1] in ("=", "!="):
        return (args[0] == args[2]) is (args[1] == "=")
    if args[0] == "!" and (len(args) != 3 or _is_unary(args[1])):
        inner = _answer(shell, args[1:])
        return None if inner is None else not inner
    return _unary(shell, *args) if len(args) == 2 else None


def _is_unary(operator: str) -> bool:
    return operator in ("-n", "-z") or operator in _ON_FILES


def _unary(shell: ShellRun, operator: str, operand: str) -> bool | None:
    if operator in ("-n", "-z"):
        return bool(operand) is (operator == "-n")
    if operator not in _ON_FILES or shell.fs is None or posixpath.normpath(operand) != operand or not operand.startswith(_KEPT):
        return None
    try:
        return _of_file(shell.fs, operator, operand)
    except FactUnavailable:
        return None


def _of_file(fs: GuestFS, operator: str, path: str) -> bool | None:
    real = fs.resolve(path)
    if real is not None:
        stat = fs.stat(real)
        return _ON_FILES[operator](stat) if stat and real.startswith(_KEPT) else None
    # A link leads to what may be there at boot; below a folder that is not there, another filesystem may be missing.
    folder = fs.resolve(posixpath.dirname(path))
    is_missing = folder is not None and f"{folder}/".startswith(_KEPT) and posixpath.basename(path) not in fs.listdir(folder)
    return False if is_missing else None
