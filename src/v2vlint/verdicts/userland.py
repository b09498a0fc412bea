"""Userland: do ld.so, libc and init run on the target's CPU?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.kernel.cpu_needs import CpuNeeds
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict


def _cpu(needs: CpuNeeds, target: Target) -> Iterator[Cause[None]]:
    """The x86-64 level that they need."""
    worst = needs.highest
    if worst is None:
        yield Cause(Fate.PASS, "it asks for no more than its architecture's baseline")
        return
    words = f"{worst.where} needs x86-64-v{worst.level}, the target gives v{target.cpu_level}"
    yield Cause(Fate.FAIL if worst.level > target.cpu_level else Fate.PASS, words, worst.where)


class UserlandVerdict(Verdict, stage=Stage.USERLAND, place=80):
    """Do ld.so, libc and init run on the target's CPU?"""

    cpu = Judge(_cpu)
