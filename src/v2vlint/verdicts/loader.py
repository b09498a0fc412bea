"""Loader: which boot loader comes up, with which configuration?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.start import Startup
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.verdict import Cause, Judge, Verdict


def _menu(loader: Bootloader, startup: Startup) -> Iterator[Cause[None]]:
    """A loader that is understood reads a menu with entries."""
    menu = startup.menu
    if menu is None:
        yield Cause(Fate.UNKNOWN, f"{loader.other} is not understood" if loader.other else loader.reason, loader.where)
    elif not menu.entries:
        yield Cause(Fate.UNKNOWN, f"{menu.config.path} has no entry that could be read", menu.config)
    else:
        yield Cause(Fate.PASS, f"{menu.loader} reads {menu.config.path}", menu.config)


class LoaderVerdict(Verdict, stage=Stage.LOADER, place=20):
    """Which loader comes up, with which configuration?"""

    menu = Judge(_menu)
