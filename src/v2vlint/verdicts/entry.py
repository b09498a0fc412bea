"""Entry: which menu entry boots by default?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.start import Startup
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.verdict import Cause, Judge, Verdict


def _default(startup: Startup) -> Iterator[Cause[None]]:
    """An entry that starts this system itself."""
    entry, reason = startup.entry, startup.menu.default_reason if startup.menu else ""
    if entry.chainload and not entry.kernel:
        yield Cause(Fate.UNKNOWN, f"the default entry {entry} starts another loader ({entry.chainload})", entry.where)
    elif entry.foreign:
        yield Cause(Fate.UNKNOWN, f"the default entry {entry} boots another operating system", entry.where)
    else:
        yield Cause(Fate.PASS, f"{entry}" + (f" ({reason})" if reason else ""), entry.where)


class EntryVerdict(Verdict, stage=Stage.ENTRY, place=30):
    """Which entry boots by default?"""

    default = Judge(_default)
