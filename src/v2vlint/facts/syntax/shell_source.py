"""Files as a shell sources them: which assignments are made for certain, which perhaps; commands are never run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from v2vlint.facts.syntax.shell import Assignment, Expansion, ShellWord, Statement, assignment, statements
from v2vlint.facts.syntax.shell_condition import can_be_read, compares
from v2vlint.facts.syntax.shell_run import ShellRun
from v2vlint.facts.syntax.shell_test import answer
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.place import Span

MAX_DEPTH = 8
MAX_SOURCED = 100
MAX_NESTED = 100
_DECLARE = frozenset({"export", "readonly"})
_DECLARE_BASH = frozenset({"declare", "typeset", "local"})
_OPENS = {"if": "if", "while": "loop", "until": "loop", "for": "for", "select": "for", "case": "case", "{": "group"}
_CLOSES = {"fi": ("then",), "done": ("do",), "esac": ("case",), "}": ("group", "function")}
# What each of these follows, and what it makes of it.
_WITHIN = {"then": (("if",), "then"), "elif": (("then",), "if"), "else": (("then",), "then"), "do": (("loop", "for"), "do")}
_SPECIAL = frozenset({":", ".", "eval", "exec", "exit", "return", "set", "shift", "times", "trap", "unset", "break", "continue"})
_JOINS = ("&&", "||", "|")
_READS = frozenset({"read", "getopts", "mapfile", "readarray"})
_LOSES = frozenset({"eval", "let", "alias", "shopt", "enable", "time", "coproc"})
_ANSWERS = frozenset({":", "true", "false", "test", "["})
_ENDS = frozenset({"shift", "trap"})
_HARMLESS_SET = frozenset({"-a", "+a", "-e", "+e", "-x", "+x", "--", "allexport"})


def source(shell: ShellRun, text: GuestText, *, crlf: bool = False) -> None:
    """Read ``text`` as the next file."""
    if len(shell.reading) >= MAX_DEPTH or text.path in shell.reading:
        shell.lose(text.span(0, 0), "files that source each other")
        return
    before = shell.maybe
    shell.reading.append(text.path)
    _File(shell, text).run(statements(text, crlf=crlf))
    shell.reading.pop()
    shell.maybe = before  # ``return`` ends its own file only


class _File:
    """One file as it is sourced: lists, compound commands and functions."""

    def __init__(self, shell: ShellRun, text: GuestText) -> None:
        self.shell, self.text = shell, text
        self.open: list[str] = []
        self.header = ""
        self.over = False

    def run(self, found: Iterable[Statement]) -> None:
        """Read the statements; lists joined by ``&&``, ``||`` and ``|`` are judged together."""
        chain: list[Statement] = []
        before = ""
        for statement in found:
            broken = (
                statement.broken
                or _is_cut(statement, before)
                or (not self.shell.bash and any(word.items is not None for word in statement.words))
            )
            broken |= statement.after == ";;" and "case" not in self.open
            before = before if before in _JOINS and not statement.words else statement.after
            if broken:
                self.shell.end(statement.where, "a syntax error ends the file")
                return
            if not statement.words and statement.after == "\n" and chain:
                continue  # the line goes on after && and ||
            chain.append(statement)
            if statement.after not in ("&&", "||", "|"):
                self._list(chain)
                chain = []
            if len(self.open) > MAX_NESTED:
                self.shell.end(statement.where, "its commands are nested too deeply")
                return
            if self.over:
                return
        self._list(chain)
        if self.open and not self.over:
            self.shell.end(self.text.span(0, 0), "a syntax error ends the file")

    def _list(self, chain: list[Statement]) -> None:
        background = bool(chain) and chain[-1].after == "&"
        status: bool | None = True
        before = ""
        for statement in chain:
            if before == "|" and statement.words and self._raw(statement.words[0]) == "!":
                self.shell.end(statement.where, "a syntax error ends the file")
            piped = background or "|" in (before, statement.after)
            reached = status if before == "&&" else None if status is None else not status if before == "||" else True
            if reached is not False:
                status = self._statement(statement, piped=piped, maybe="" if reached else "it depends on a command")
                status = None if reached is None else status
            before = statement.after
        if self.shell.exits and status is not True and any(one.words for one in chain) and "function" not in self.open:
            self.shell.end(chain[0].where, "set -e ends the shell when a command fails")

    def _statement(self, statement: Statement, *, piped: bool, maybe: str) -> bool | None:
        """What a statement does; its status if that can be told."""
        if statement.redirected:
            self.shell.end(statement.where, "a redirection that fails ends some shells")
        words = self._structure(list(statement.words), statement)
        inside = "function" in self.open or "(" in self.open
        if not inside and not piped:
            self._expand(statement.words[: len(statement.words) - len(words)], statement.where)
            self.shell.expands(statement.documents, statement.where)
        self._brackets(statement, words)
        if not words or self.over or inside or piped:
            return None
        maybe = maybe or ("it depends on a condition" if self.open else "")
        return self._simple(words, statement.where, maybe)

    def _expand(self, words: Iterable[ShellWord], where: Span) -> None:
        for word in words:
            for parts in (word.parts,) if word.items is None else word.items:
                self.shell.expands(parts, where)

    def _structure(self, words: list[ShellWord], statement: Statement) -> list[ShellWord]:
        """Enter and leave compound commands; the words that remain are a simple command."""
        while words and (text := self._raw(words[0])):
            if text in _OPENS or (text == "function" and self.shell.bash):
                self._enter(text, words, statement)
                words = words[1:] if text in ("if", "while", "until", "{") else []
            elif text in _CLOSES:
                if not self.open or self.open.pop() not in _CLOSES[text]:
                    self.shell.end(statement.where, "a syntax error ends the file")
                words = []
            elif text in _WITHIN:
                self._continue(text, statement)
                words = words[1:]
            elif text == "!":
                return self._inverted(words[1:], statement)
            else:
                break
        return words

    def _continue(self, text: str, statement: Statement) -> None:
        after, now = _WITHIN[text]
        if self.open and self.open[-1] in after:
            self.open[-1] = now
        else:
            self.shell.end(statement.where, "a syntax error ends the file")

    def _inverted(self, words: list[ShellWord], statement: Statement) -> list[ShellWord]:
        if words:
            self._simple(words, statement.where, "it depends on a command")
        return []

    def _enter(self, text: str, words: list[ShellWord], statement: Statement) -> None:
        if text == "{" and self.header:
            self.open.append("function")
            self.header = ""
        elif text == "function":
            name = self._raw(words[1]) if len(words) > 1 else ""
            self.shell.define(name)
            self.header = name
            if len(words) > 2 and self._raw(words[2]) == "{":
                self.open.append("function")
                self.header = ""
        else:
            self.open.append(_OPENS[text])
            if not self._is_header(_OPENS[text], words, statement.after):
                self.shell.end(statement.where, "a syntax error ends the file")
            elif _OPENS[text] == "for" and len(words) > 1:
                self.shell.spoil(self._raw(words[1]), statement.where, "a loop sets it")

    def _is_header(self, kind: str, words: list[ShellWord], after: str) -> bool:
        """Whether the first line of a ``for`` or ``case`` is what the grammar allows; others have none."""
        if kind == "case":
            return (len(words) > 2 and self._raw(words[2]) == "in") or (len(words) == 2 and after == "\n")
        return kind != "for" or after in (";", "\n")

    def _brackets(self, statement: Statement, words: list[ShellWord]) -> None:
        if words and self._raw(words[0]) == "[[" and not can_be_read([self._raw(word) for word in words[1:]], bash=self.shell.bash):
            self.shell.end(statement.where, "a condition that is not read")
        if statement.after == "((":
            (self.shell.end if words else self.shell.lose)(statement.where, "arithmetic may set variables")
            self.open += ["(", "("]
        elif statement.after == "(":
            if len(words) > 1 or (words and not _is_name(words[0].text)):
                self.shell.end(statement.where, "a syntax error ends the file")
            elif words:
                self.header = self._raw(words[0])
                self.shell.define(self.header)
                words.clear()
            self.open.append("(")
        elif statement.after == ")" and self.open and self.open[-1] == "(":
            self.open.pop()
        elif statement.after == ")" and "case" not in self.open:
            self.shell.end(statement.where, "a syntax error ends the file")

    def _raw(self, word: ShellWord) -> str:
        return self.text.content[word.start : word.end]

    def _simple(self, words: list[ShellWord], where: Span, maybe: str) -> bool | None:
        found = list(itertools.takewhile(bool, (assignment(self.text, word) for word in words)))
        ahead = [one for one in found if one is not None]
        if len(ahead) < len(words):
            return self._with_command(ahead, words[len(ahead)], words[len(ahead) + 1 :], where, maybe)
        for one in ahead:
            self.shell.assign(one, maybe=maybe)
        return None if any(isinstance(part, Expansion) and not part.name for one in ahead for part in one.parts) else True

    def _with_command(self, ahead: list[Assignment], command: ShellWord, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        """A command with the assignments in front of it, which hold for that command only."""
        name, raw = command.text, self._raw(command)
        self._expand(args, where)
        for one in ahead:
            self.shell.expands(one.parts, where)
        self.shell.expands(command.parts, where)
        if "[" in raw and "]" not in raw and name not in ("[", "[["):
            self.shell.end(where, "a bracket is not closed")
        if any(self.shell.protects(one.name) for one in ahead):
            self.shell.end(where, "a read-only variable is set")
        if name is None or self.shell.defines(name) or "\\\n" in raw or (self.shell.bash and "{" in raw):
            self._note(where)
            self.shell.lose(where, "a command that is not known may set variables")
            return None
        for one in ahead if name in _SPECIAL or name in _DECLARE else ():
            self.shell.spoil(one.name, where, f"some shells keep it when it stands before {name}")
        return self._command(name, args, where, maybe)

    def _note(self, where: Span) -> None:
        if not self.shell.commands or (self.shell.commands[-1].path, self.shell.commands[-1].line) != (where.path, where.line):
            self.shell.commands.append(where)

    def _command(self, name: str, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        if name in _DECLARE | _DECLARE_BASH:
            return self._declare(name, args, where, maybe)
        self._note(where)
        if name == "command" or (name == "builtin" and self.shell.bash):
            return self._named(name, args, where, maybe)
        if name in _ANSWERS:
            return answer(self.shell, name, args, self._raw, where)
        if name == "unset":
            return self._unset(args, where, maybe)
        if name == "set":
            return self._set(args, where, maybe)
        if name in (".", "source"):
            self._source(name, args, where, maybe)
        elif name in ("return", "exit", "exec"):
            self._end(name, where, maybe)
        else:
            self._other(name, args, where)
        return None

    def _named(self, name: str, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        """The command that ``command`` or ``builtin`` is given."""
        rest = list(itertools.dropwhile(lambda word: word.text in ("-p", "--"), args))
        if rest and rest[0].text is None:
            self.shell.end(where, "a command that is not known may set variables")
        elif rest and not _is_flag(rest[0]):
            return self._command(rest[0].text or "", rest[1:], where, maybe)
        return None

    def _unset(self, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        flags, names = _split(args)
        if flags - set("-vf") or {"v", "f"} <= flags or not all(_is_name(word.text) for word in names):
            self.shell.end(where, "unset may fail, or unset any variable")
            return None
        for word in names if "f" not in flags else ():
            self.shell.unset(word.text or "", where, maybe=maybe)
        return True

    def _set(self, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        given = [arg.text for arg in args]
        if not _HARMLESS_SET.issuperset(given):
            self.shell.end(where, "set changes how the rest is read")
        if "-e" in given:
            self.shell.exits = True
        elif "+e" in given and not maybe and not self.shell.maybe:
            self.shell.exits = False
        return True if not maybe else None

    def _other(self, name: str, args: list[ShellWord], where: Span) -> None:
        """Commands that set variables in ways of their own."""
        if name in _READS:
            flags, names = _split(args)
            if not all(_is_name(word.text) or (word.text or "").startswith("-") for word in args) or len(flags) > 2 or not names:
                self.shell.lose(where, f"{name} may set any variable")
            for word in args:
                self.shell.spoil(word.text or "", where, f"{name} sets it")
        elif name in _LOSES or "=" in name or self._sets_by_flag(name, args):  # NAME[1]=value and the like
            self.shell.lose(where, f"{name} may set variables")
        elif name in _ENDS:
            self.shell.end(where, f"{name} may end the shell")

    def _sets_by_flag(self, name: str, args: list[ShellWord]) -> bool:
        """bash's ``printf -v NAME``, ``wait -p NAME`` and ``[[ NAME=1 -eq 1 ]]``."""
        if name == "[[":
            return compares(word.text for word in args)
        return (
            name in ("printf", "wait")
            and self.shell.bash
            and any(_is_flag(word) or word.text is None for word in args[: 1 if name == "printf" else None])
        )

    def _declare(self, name: str, args: list[ShellWord], where: Span, maybe: str) -> bool | None:
        flags, rest = _split(args)
        found = [(word, assignment(self.text, word)) for word in rest]
        is_read = name in _DECLARE_BASH or flags <= {"-"} or (args and not rest and flags == {"-", "p"})
        if name == "local" or "n" in flags or not is_read or not all(one or _is_name(word.text) for word, one in found):
            self.shell.end(where, f"{name} fails, or does something else")
        told = True
        for word, one in found:
            bare = one.name if one else word.text or ""
            if one is not None:
                self.shell.assign(one, maybe=maybe)
            if why := self._not_declared(name, flags, word, one):
                self.shell.mark(bare, why)
                self.shell.spoil(bare, where, why)
                told = False
            if name == "readonly" or "r" in flags:
                self.shell.protect(bare)
        return True if told and not maybe else None

    def _not_declared(self, name: str, flags: set[str], word: ShellWord, one: Assignment | None) -> str:
        if name in _DECLARE_BASH and (not self.shell.bash or flags - set("-xrg")):
            return f"{name} is not read" if self.shell.bash else f"{name} is no command of sh"
        if self.shell.bash and word.items is None and "{" in self._raw(word).replace("${", ""):
            return "braces may become several words"
        split = one is not None and not self.shell.bash and any(isinstance(part, Expansion) for part in one.parts)
        return "the shell may split it into words" if split else ""

    def _source(self, name: str, args: list[ShellWord], where: Span, maybe: str) -> None:
        path = args[0].text if args else None
        if not path or not path.startswith("/") or self.shell.fs is None or (name == "source" and not self.shell.bash):
            # dash ends with the first file that it does not find.
            (self.shell.lose if self.shell.bash else self.shell.end)(where, "a file that is not followed may set variables")
            return
        self.shell.sourced += 1
        text = self.shell.open(path) if self.shell.sourced <= MAX_SOURCED else None
        if text is None:
            self.shell.end(where, f"{path}, which it sources, is missing or one of too many")
        elif maybe:
            self.shell.lose(where, f"{path} is sourced under a condition")
        else:
            source(self.shell, text)

    def _end(self, name: str, where: Span, maybe: str) -> None:
        if maybe and name == "return":
            self.shell.maybe = f"{name} may end the file before it"
        elif maybe:
            self.shell.ended = f"{name} may end the shell before it"
        elif name == "return":
            self.over = True
        else:
            self.shell.end(where, f"{name} ends the shell")
            self.over = True


def _is_cut(statement: Statement, before: str) -> bool:
    """Whether an operator lacks the command before or after it."""
    if statement.words:
        return False
    return statement.after != "\n" if before in _JOINS else statement.after in (";", "&", *_JOINS) and before != ")"


def _is_flag(word: ShellWord) -> bool:
    return (word.text or "").startswith("-")


def _split(args: list[ShellWord]) -> tuple[set[str], list[ShellWord]]:
    """The letters of all flags, with the hyphen, and the other words."""
    return {flag for word in args if _is_flag(word) for flag in word.text or ""}, [word for word in args if not _is_flag(word)]


def _is_name(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isidentifier()


def sourced_values(texts: Iterable[GuestText | None], *, bash: bool = True, crlf: bool = False, fs: GuestFS | None = None) -> ShellRun:
    """The shell after sourcing ``texts`` in order; missing ones are skipped. With ``fs``, files that they source are followed."""
    run = ShellRun(bash=bash, fs=fs)
    for text in texts:
        if text is not None:
            source(run, text, crlf=crlf)
    return run


def sh_is_bash(fs: GuestFS) -> bool:
    """Whether the guest's /bin/sh is bash: assumed where it cannot be resolved."""
    program = (fs.resolve("/bin/sh") or "").rpartition("/")[2]
    return program in ("", "sh", "bash")
