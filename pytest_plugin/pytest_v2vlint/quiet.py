"""pytest shows what an assertion compared, and so text of a guest: a CI runner must not read commands in it."""

from __future__ import annotations

# pytest has no public names for what it renders.
from _pytest._code.code import ExceptionChainRepr, ReprEntry, ReprExceptionInfo

from v2vlint.report.escape import without_commands


def quieten(shown: object) -> None:
    """Escape, in place, the runner commands in a failure as pytest has rendered it. Anything else than a traceback is left alone."""
    if not isinstance(shown, ReprExceptionInfo | ExceptionChainRepr):
        return
    chain = shown.chain if isinstance(shown, ExceptionChainRepr) else [(shown.reprtraceback, shown.reprcrash, None)]
    for traceback, crash, _ in chain:
        for entry in traceback.reprentries:
            entry.lines = [without_commands(line) for line in entry.lines]
            if isinstance(entry, ReprEntry) and entry.reprlocals:
                entry.reprlocals.lines = [without_commands(line) for line in entry.reprlocals.lines]
            if isinstance(entry, ReprEntry) and entry.reprfuncargs:
                entry.reprfuncargs.args = [(name, without_commands(str(value))) for name, value in entry.reprfuncargs.args]
        if crash:
            crash.message = without_commands(crash.message)
