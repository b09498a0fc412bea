"""Evaluates GRUB 2 scripts as far as the disks allow: variables, conditions, functions, and the menu they build.

A value or condition that depends on the machine is *unknown*: both branches are evaluated, variables that differ between them become
unknown, and menu entries made in them are conditional. Nothing is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from v2vlint.facts.boot.grub.files import DEFAULT, GrubFiles, GuestPath
from v2vlint.facts.boot.grub.script import Block, Command, Function, If, Literal, Loop, Statement, Variable, Word, parse_script
from v2vlint.facts.boot.grub.values import Boot, Environment, Field, MenuItem, either, merged, texts_of
from v2vlint.facts.syntax.located import MAX_LENGTH, Assembled, Located
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

# Limits on what a hostile script can cost: loops, recursion, variables that grow with every round.
MAX_STEPS = 100_000
MAX_NESTING = 12
MAX_ROUNDS = 200
MAX_ENTRIES = 1_000
MAX_FIELDS = 1_024
KERNELS = frozenset({"linux", "linux16", "linuxefi", "multiboot", "multiboot2", "chainloader"})
"""The commands that load what is booted, in place of what was loaded before."""
FAILURES = {"false": "1", "test": "1", "[": "1", "search": "5", "search.fs_uuid": "5", "search.fs_label": "5", "search.file": "5"}
"""The value of ``$?`` after commands that failed (include/grub/err.h); after others it is unknown."""


ENDS = ("exit", "boot")
"""What ends the script from within a function: GRUB itself goes, or the system that it has started comes."""
_State = tuple[Environment, Boot]
Handler = Callable[["GrubShell", Sequence[Field], Command], bool | None]


@dataclass
class GrubShell:
    """One evaluation of a configuration. ``env`` maps variables to values; None is an unknown value, a missing key an empty one.

    ``has`` says whether this GRUB has a command, ``insert`` loads a module, of which ``inserted`` are the names. ``lost`` describes what
    was certainly not found; ``doubts`` counts guesses and dependencies on the machine. ``exported`` variables are visible in submenus and
    in files read by ``configfile``; ``scope`` are the arguments of the current function. ``leave`` is a pending command that ends loops, a
    function or the script; ``handed`` is the shell whose menu is shown.
    """

    files: GrubFiles
    env: Environment
    commands: Mapping[str, Handler]
    has: Callable[[GrubShell, str], bool | None] = lambda _shell, _name: None
    insert: Callable[[GrubShell, str], None] = lambda _shell, _name: None
    inserted: set[str] = field(default_factory=set)
    menu: list[MenuItem] = field(default_factory=list)
    boot: Boot = field(default_factory=Boot)
    functions: dict[str, Block] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    config: str = ""
    malformed: list[Span] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubts: int = 0
    normal: bool = False
    uncertain: int = 0
    nesting: int = 0
    steps: int = 0
    exported: set[str] = field(default_factory=set)
    scope: tuple[Field, ...] = ()
    leave: str = ""
    loops: int = 0
    handed: GrubShell | None = None

    def inner(self, env: Environment, scope: tuple[Field, ...] = ()) -> GrubShell:
        """A shell for code that runs later, or separately: with the same functions, and its own menu."""
        found = GrubShell(
            self.files, env, self.commands, self.has, self.insert, set(self.inserted), exported=set(self.exported), scope=scope
        )
        found.functions, found.steps, found.config, found.nesting = self.functions, self.steps, self.config, self.nesting
        return found

    def visible(self) -> Environment:
        """The exported variables, which are the only ones visible in a new context (grub-core/normal/context.c)."""
        return {name: value for name, value in self.env.items() if name in self.exported}

    def value(self, name: str) -> str:
        """The text of a variable; empty when it is unset or unknown."""
        found = self.env.get(name)
        return found.text if found else ""

    def locate(self, name: str) -> GuestPath:
        """Where a command with the argument ``name`` would look for it now."""
        below = ""
        if self.files.patched:
            below = DEFAULT if self.value("btrfs_relative_path")[:1] in ("1", "y") else ""
            below = f"/{named}" if (named := self.value("btrfs_subvol").strip("/")) else below
        place = self.files.locate(name, self.value("root"), below)
        # A file that the guest does not mount exists and is not read; those of the memory disk are.
        self.doubts += not place.certain or (place.exists and place.foreign and not place.path.startswith("(memdisk)"))
        return place

    def is_unknown(self, name: str) -> bool:
        """Whether the value of ``name`` depends on the machine."""
        return not isinstance(self.env.get(name, Located()), Located)

    def set(self, name: str, value: str) -> None:
        """Set ``name`` to a value that is in no file."""
        self.env[name] = Located(value)

    def source(self, place: GuestPath) -> bool:
        """Run a configuration file; False when it does not exist or is read too often."""
        text = self.files.text(place) if len(self.read) < MAX_NESTING else None
        if text is None:
            self.lost += () if place.exists else (f"there is no {place.path}",)
            return False
        self.read.append(place.path)
        self.execute(text)
        return True

    def execute(self, text: GuestText) -> None:
        """Run the text of a script."""
        script = parse_script(text)
        self.malformed.extend(script.malformed)
        self.lost.extend(f"{place} has a syntax error" for place in script.malformed[:4])
        self.run(script.body)

    def evaluate(self, whole: Located, command: Command) -> bool | None:
        """Run text assembled by ``command``; returns the status of its last statement."""
        # Parsing counts, too: `eval` in a loop parses anew each time.
        self.steps += len(whole.text)
        located = whole if sum(run.size for run in whole.runs) == len(whole.text) else Located(whole.text)
        source = Assembled("", whole.text, whole=located, place=_place(command) or Span("", 0, 0, 1))
        script = parse_script(source, ends_at_error=True)
        self.malformed.extend(script.malformed)
        return self.run(script.body)

    def run(self, block: Block) -> bool | None:
        """Run statements; returns the status of the last one (None: unknown)."""
        status: bool | None = True
        self.nesting += 1
        for statement in block:
            self.steps += 1
            if self.steps > MAX_STEPS or self.nesting > MAX_NESTING * 4:
                break
            status = self._statement(statement)
            if status is not False:  # a command that fails has set its own error number
                self.env["?"] = Located("0") if status else None
            if self.leave:
                break
        self.nesting -= 1
        return status

    def _statement(self, statement: Statement) -> bool | None:
        match statement:
            case Command():
                return self._command(statement)
            case If():
                return self._if(statement.branches, statement.otherwise)
            case Function():
                self.functions[statement.name] = statement.body
                return True
            case _:
                return self._loop(statement)

    def _if(self, branches: Sequence[tuple[Block, Block]], otherwise: Block) -> bool | None:
        possible: list[_State] = []
        ends = {"boot"}
        status: bool | None = True
        for condition, body in branches:
            decided = self.run(condition)
            if decided is False:
                continue
            before = self._state()
            self.uncertain += decided is None  # stays until `fi`: the branches after it are uncertain as well
            self.doubts += decided is None
            status = self.run(body)
            if decided is True:
                break
            # The branch may not run, so its `break`, `return` or `exit` may not take effect either.
            ends.add(self.leave)
            self.leave, status = "", None
            possible.append((self.env, self.boot))
            self.env, self.boot = before
        else:
            status = self.run(otherwise)
        self.uncertain -= len(possible)
        for env, boot in possible:
            self.env, self.boot = merged(env, self.env), boot.or_else(self.boot)
        # A system is started on every way.
        ends.add(self.leave)
        self.leave = self.leave if not possible or ends == {"boot"} else ""
        return None if possible else status

    def _loop(self, loop: Loop) -> bool | None:
        """The status is that of the last command in the body, or of the condition that ended it."""
        if not loop.name:
            return self._while(loop)
        status: bool | None = True
        for item in self.fields(loop.items):
            self.env[loop.name] = item.text if item.known else None
            # What is not known may be no word, or many.
            status = self.run(loop.body) if item.known else self._maybe(loop.body)
            if self._left():
                break
        return status

    def _while(self, loop: Loop) -> bool | None:
        """Iterate as long as the condition is known."""
        for _round in range(MAX_ROUNDS):
            decided = self.run(loop.condition)
            if decided is None:
                break
            if decided is loop.until or self.steps > MAX_STEPS:
                return decided
            status = self.run(loop.body)
            if self._left():
                return status
        # The condition is unknown, or no end is in sight: the body may have run.
        return self._maybe(loop.body)

    def _left(self) -> bool:
        """Whether the loop ends here; ``continue`` only ends an iteration."""
        if self.leave in ("break", "continue"):
            self.loops -= 1
            more, self.leave = self.leave == "break" or self.loops > 0, self.leave if self.loops > 0 else ""
            return more
        return bool(self.leave)

    def call(self, body: Block, scope: Sequence[Field]) -> bool | None:
        """Run the body of a function with its arguments."""
        before, self.scope = self.scope, tuple(scope)
        status = self.run(body)
        self.scope = before
        # Loops are counted anew in a function (grub_script_function_call), so `break` does not leave it.
        self.leave = self.leave if self.leave in ENDS else ""
        return status

    def _maybe(self, body: Block) -> bool | None:
        env, boot = self._state()
        self.uncertain += 1
        self.run(body)
        self.uncertain -= 1
        self.leave = ""
        self.env, self.boot = merged(self.env, env), self.boot.or_else(boot)
        return None

    def _state(self) -> _State:
        """What code that may not run may change: a copy of it."""
        return dict(self.env), replace(self.boot)

    def _command(self, command: Command) -> bool | None:
        self.steps += len(command.words)
        words = self.fields(command.words)
        if not words:
            return True
        if words[0].text.text == "!" and len(words) > 1:
            status = self._words(command, words[1:], inverted=True)
            if status is False:
                self.env["?"] = Located("1")  # GRUB_ERR_TEST_FAILURE
            return status
        return self._words(command, words)

    def _words(self, command: Command, words: Sequence[Field], *, inverted: bool = False) -> bool | None:
        """Commands take precedence over functions, and functions over assignments. An unknown command succeeds, even after ``!``."""
        name, known = words[0].text.text, words[0].known
        has = self.has(self, name) if known else None
        if not (has or (has is None and name in self.commands)):
            if name in self.functions:
                return _inverted(self.call(self.functions[name], words), inverted)
            if "=" in name:
                return self.assign(words[0])
            self._miss(name, has, command)
        elif name in KERNELS:
            self.boot.unknown = None
        # After a kernel was loaded, a command that GRUB does not have keeps it from nothing.
        handler = self.commands.get(name) if has is not False or self.boot.unknown else None
        status = handler(self, words[1:], command) if handler else None
        if status is False:
            number = words[1].text if name == "return" else Located(FAILURES[name]) if name in FAILURES else None
            self.env["?"] = number
        return True if has is False else _inverted(status, inverted)

    def _miss(self, name: str, has: bool | None, command: Command) -> None:
        spare = self.boot.kernel or self.boot.chainload or self.boot.xen
        if self.boot.unknown is None and has is False and not spare and (place := _place(command)):
            self.boot.unknown = name, place

    def assign(self, field_: Field) -> bool:
        """Execute ``name=value``."""
        name, _, _value = field_.text.text.partition("=")
        value = field_.text.part(len(name) + 1, len(field_.text.text))
        self.env[name] = value if field_.known else either(text.partition("=")[2] for text in field_.either)
        return True

    def fields(self, words: Sequence[Word]) -> list[Field]:
        """Expand words: unquoted variables are split at blanks, empty unquoted words vanish. At most :data:`MAX_FIELDS`."""
        found: list[Field] = []
        for word in words:
            if len(found) >= MAX_FIELDS:
                break
            found.extend(self._expand(word))
        return [Field(one.text, known=False) if _is_path_pattern(one) else one for one in found[:MAX_FIELDS]]

    def _expand(self, word: Word) -> list[Field]:
        done: list[Field] = []
        current: Field | None = None
        for part in word.parts:
            if isinstance(part, Literal):
                current = _append(current, part.text, unquoted=not part.quoted)
                continue
            if part.name in ("@", "*") or part.name == "#" or part.name.isdigit():
                current = self._positional(part, current, done)
                continue
            value = self.env.get(part.name, Located())
            if not isinstance(value, Located):
                current = (current or Field(Located())).then(texts_of(value))
            elif part.quoted:
                current = _append(current, value)
            else:
                current = _spread(value, current, done)
        return [*done, current] if current else done

    def _positional(self, variable: Variable, current: Field | None, done: list[Field]) -> Field | None:
        """The arguments of the current function, or their number."""
        given = self.scope[1:]
        if variable.name == "#":
            return _append(current, Located(str(len(given)) if self.scope else ""))
        if variable.name.isdigit():
            given = self.scope[int(variable.name[:4]) :][:1]
        for number, one in enumerate(given):
            if number and variable.name == "@" and current:
                done.append(current)
                current = None
            elif number:
                current = _append(current, Located(" ")) if variable.quoted else _spread(Located(" "), current, done)
            if not one.known:
                current = (current or Field(Located())).then(one.either)
            else:
                current = _append(current, one.text) if variable.quoted else _spread(one.text, current, done)
        return current


def _is_path_pattern(word: Field) -> bool:
    """Whether GRUB takes the word for a pattern (``wildcard_expand`` of commands/wildcard.c): a path with wildcards may become any
    number of words, in the order of the folder, or stay what it is without the module ``regexp``. It escapes what is quoted.
    """
    return word.wild and word.text.text.startswith(("/", "(", "*"))


def _append(current: Field | None, text: Located, *, unquoted: bool = False) -> Field:
    if current and len(current.text.text) + len(text.text) > MAX_LENGTH:  # `x=$x$x` doubles a value each time
        return current
    if current and not current.known:
        return replace(current.then(frozenset((text.text,))), text=current.text + text)
    wild = unquoted and ("*" in text.text or "?" in text.text)
    return Field(current.text + text, wild=wild or current.wild) if current else Field(text, wild=wild)


def _spread(value: Located, current: Field | None, done: list[Field]) -> Field | None:
    """Split an unquoted variable: its first word joins ``current``, further ones start new fields."""
    position = 0
    for piece in value.text.split(None, MAX_FIELDS)[:MAX_FIELDS]:
        start = value.text.index(piece, position)
        if current and start > position:
            done.append(current)
            current = None
        position = start + len(piece)
        current = _append(current, value.part(start, position), unquoted=True)
    if current and position < len(value.text):  # blanks at the end separate it from what follows
        done.append(current)
        return None
    return current


def _place(command: Command) -> Span | None:
    """The whole command, which may begin with a variable; None if nothing of it is in a file."""
    literals = (part for word in command.words for part in word.parts if isinstance(part, Literal) and part.text.runs)
    first = next(literals, None)
    return first.text.runs[0].source.span(command.start, command.end) if first else None


def _inverted(status: bool | None, inverted: bool) -> bool | None:
    return not status if inverted and status is not None else status
