"""Console: does a console that the target has offer a login?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import all_args, kernel_args
from v2vlint.facts.boot.consoles import Consoles
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.start import Startup
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt


def _login(startup: Startup, consoles: Consoles, target: Target) -> Iterator[Cause[None]]:
    """Consoles named by the command line and by gettys. A display always has virtual terminals, so it may offer a login anyway."""
    named = tuple(_named(startup.entry, consoles))
    usable = [name for name in named if name in target.consoles or (_is_display(name) and "tty0" in target.consoles)]
    if usable or target.arch == "aarch64":
        # Kernels for this architecture write to the port in the firmware's SPCR table, whatever is named (drivers/acpi/spcr.c).
        yield Cause(Fate.PASS, f"console on {', '.join(usable or target.consoles[:1])}")
    elif named:
        reason = f"console only on {', '.join(named)}; the target has {', '.join(target.consoles)}"
        yield doubt(True, reason, startup.entry.where, None)
    else:
        yield Cause(Fate.PASS, "login on the display")


def _is_display(name: str) -> bool:
    return name.startswith("tty") and name[3:].isdigit()


def _named(entry: BootEntry, consoles: Consoles) -> Iterator[str]:
    for argument in all_args(kernel_args(entry.args, entry.version), "console"):
        if argument.value:
            yield argument.value.partition(",")[0]
    yield from (found.name for found in consoles.consoles if not found.name.startswith("tty") or found.name.startswith("ttyS"))


class ConsoleVerdict(Verdict, stage=Stage.CONSOLE, place=110, stops=False):
    """Does a console that the target has offer a login?"""

    login = Judge(_login)
