"""The command line: finds the verb, runs it, and turns every error into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from v2vlint.cli import exits
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, NothingFound, UsageError, V2vlintError
from v2vlint.model.version import __version__

DEFAULT = "check"
_GARBAGE = 200_000
"""Objects between two collections. At the interpreter's 700, importing costs a quarter more: what is imported stays."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: the module with its ``configure(parser)`` and ``run(args) -> int``, and a one-line summary."""

    module: str
    summary: str


VERBS = {
    "check": Verb("v2vlint.cli.check", "say what will break on the target, and forecast the boot (the default verb)"),
    "report": Verb("v2vlint.cli.report", "make reports from the journals of checks"),
    "inspect": Verb("v2vlint.cli.inspect", "say what a machine is: system, disks, packages, kernels, network"),
    "fix": Verb("v2vlint.cli.fix", "repair what can be repaired safely, as a transaction that can be undone"),
    "undo": Verb("v2vlint.cli.undo", "bring back what a guest was before it was fixed"),
    "prove": Verb("v2vlint.cli.prove", "boot a copy of the guest on the target's hardware, beside the forecast"),
    "diagnose": Verb("v2vlint.cli.diagnose", "say why a guest did not come up, from its console log, and where its image has the cause"),
    "define": Verb("v2vlint.cli.define", "print the libvirt domain that a guest needs on a KVM target"),
    "rules": Verb("v2vlint.cli.rules", "list the rules, or write their documentation"),
    "test": Verb("v2vlint.cli.test", "run the examples of custom rules"),
    "explain": Verb("v2vlint.cli.explain", "explain a rule, or an error message of a converter or a guest"),
    "targets": Verb("v2vlint.cli.targets", "list the target profiles, or show one"),
    "baseline": Verb("v2vlint.cli.baseline", "record today's findings, so that later checks report only new ones"),
    "doctor": Verb("v2vlint.cli.doctor", "say what works on this machine, and what each missing piece costs"),
    "schema": Verb("v2vlint.cli.schema", "print the JSON schema of the configuration, a target, a sample guest or a report"),
    "completion": Verb("v2vlint.cli.completion", "print the completions of a shell, or the manual page"),
}


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as UsageError."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting."""
        raise UsageError(message, hint=f"{self._meant(message)}see '{self.prog} --help'")

    def _meant(self, message: str) -> str:
        """A "did you mean" for an unknown option, or an empty string."""
        import difflib

        word = next(iter(message.removeprefix("unrecognized arguments: ").split("=")[0].split()), "")
        options = [option for option in self._option_string_actions if option.startswith("--")]
        near = [option for option in options if option.startswith(word)] or difflib.get_close_matches(word, options, 1)
        return f"did you mean {near[0]}? " if word.startswith("--") and word != message and near else ""


class Help(argparse.HelpFormatter):
    """argparse's formatter is created for each option: it would import shutil and query the terminal's width each time."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@functools.cache
def _columns() -> int:
    """The same as :func:`shutil.get_terminal_size`."""
    with contextlib.suppress(ValueError):
        if (wanted := int(os.environ.get("COLUMNS", ""))) > 0:
            return wanted
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    return 80


def top_parser() -> Parser:
    """The parser of ``v2vlint`` itself: help and version. Verbs have their own, see :func:`verb_parser`."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    parser = Parser(
        prog="v2vlint",
        usage="v2vlint [check] IMAGE… [options]\n       v2vlint VERB [options]",
        description="Predict what will break when a virtual machine moves to other virtual hardware.",
        epilog=f"verbs:\n{verbs}\n\nSee 'v2vlint VERB --help'. {exits.HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"v2vlint {__version__}")
    return parser


def verb_parser(name: str) -> Parser:
    """The parser of one verb."""
    words = f"{VERBS[name].summary}.".capitalize()
    # No abbreviations: one would change its meaning when an option is added.
    parser = Parser(prog=f"v2vlint {name}", description=words, epilog=exits.HELP, allow_abbrev=False, formatter_class=Help)
    importlib.import_module(VERBS[name].module).configure(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        gc.set_threshold(_GARBAGE)
    # Like Ctrl-C, so that children are killed and temporary files removed.
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run(arguments)
    except (Exception, KeyboardInterrupt) as error:
        if _interrupted(error):
            return _interruption(error, argv)
        if os.environ.get("V2VLINT_DEBUG") and not isinstance(error, V2vlintError):
            raise
        return _failure(error)
    finally:
        _ignore_more(argv)


def _interrupted(error: BaseException | None) -> bool:
    """Whether it is an interrupt, or one that came up while an interrupt was on its way out."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _interruption(error: BaseException, argv: Sequence[str] | None) -> int:
    _ignore_more(argv)
    # A KeyboardInterrupt that once left exec() of a text (dataclasses use it) makes CPython end `python -m` by SIGINT, though it was
    # caught since. The next exec() forgets that (pythonrun.c: run_eval_code_obj; main.c: Py_RunMain).
    exec("")
    if isinstance(error, V2vlintError):
        _complain(error)
    print("v2vlint: interrupted", file=sys.stderr)
    return exits.INTERRUPTED


def _failure(error: BaseException) -> int:
    """Complain, and say the exit code."""
    if isinstance(error, V2vlintError):
        _complain(error)
        return _code(error)
    if isinstance(error, PermissionError) and error.filename:
        _complain(UsageError(f"{error.filename}: permission denied", hint="v2vlint cannot read or run it as this user"))
        return exits.USAGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f"{error.filename}: " if error.filename else "the output could not be written: "
        _complain(V2vlintError(f"{place}{os.strerror(error.errno).lower()}"))
        return exits.NOT_EVALUATED
    _complain(V2vlintError(f"a bug: {type(error).__name__}: {error}", hint="set V2VLINT_DEBUG=1 for the traceback"))
    return exits.NOT_EVALUATED


def _ignore_more(argv: Sequence[str] | None) -> None:
    """The work of this process is done: a signal that comes now would end it with a traceback and another code."""
    if argv is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "--version"):
        parser = top_parser()
        parser.parse_args(arguments)
        parser.print_help(sys.stderr)
        return exits.USAGE
    name = arguments.pop(0) if arguments[0] in VERBS else DEFAULT
    if name == DEFAULT and (near := _near_verb(arguments)):
        raise UsageError(f"no verb and no file is called {arguments[0]!r}", hint=f"did you mean 'v2vlint {near}'?")
    args = verb_parser(name).parse_args(arguments)
    code: int = importlib.import_module(VERBS[name].module).run(args)
    return code


def _near_verb(arguments: list[str]) -> str:
    """The verb that the first argument resembles, unless it names a file; otherwise an empty string."""
    word = arguments[0] if arguments else ""
    if not word.isalpha() or os.path.lexists(word):
        return ""
    import difflib

    return next(iter(difflib.get_close_matches(word.lower(), VERBS, 1, 0.6)), "")


def _code(error: V2vlintError) -> int:
    if isinstance(error, NothingFound):
        return exits.NOTHING
    return exits.NOT_EVALUATED if isinstance(error, ImageError) else exits.USAGE


def _complain(error: V2vlintError) -> None:
    from v2vlint.cli import output

    output.say(f"v2vlint: {error.message}", *([f"  hint: {error.hint}"] if error.hint else []))


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
