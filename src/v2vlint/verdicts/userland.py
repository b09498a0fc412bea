"""Userland: do ld.so, libc and init run on the target's CPU?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.kernel.cpu_needs import BinaryNeed, CpuNeeds
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired


def _binaries(needs: CpuNeeds, target: Target, conversion: Conversion, refusals: Refusals, os: OsInfo) -> Iterator[Cause[BinaryNeed]]:
    """The x86-64 level that their ELF notes ask for. virt-v2v asks for level 2 for Red Hat's family from 9 on: ``do_convert``."""
    worst = needs.highest
    if needs.machine not in ("x86_64", "") or worst is None or worst.level <= target.cpu_level:
        return
    reason = f"{worst.where} asks for an x86-64-v{worst.level} CPU, and the target guarantees v{target.cpu_level}"
    raised = conversion.fits and refusals.converts and worst.level == 2 and os.family == "rhel" and os.major >= 9
    yield repaired(reason, worst.where, worst) if raised else fault(True, reason, worst.where, worst)


def _distribution(needs: CpuNeeds, target: Target, os: OsInfo) -> Iterator[Cause[None]]:
    """What is known of the distribution, where no note says anything."""
    if needs.machine not in ("x86_64", "") or (needs.highest and needs.highest.level > target.cpu_level) or not needs.binaries:
        return
    if needs.distribution_level > max(target.cpu_level, needs.level):
        where = next((need.where for need in needs.binaries), WholeFile("/etc/os-release"))
        reason = f"{os.name} {os.version} is built for x86-64-v{needs.distribution_level}, above the v{target.cpu_level} of the target"
        yield doubt(True, reason, where, None)


def _runs(needs: CpuNeeds, target: Target) -> Iterator[Cause[None]]:
    """What they need when it is there."""
    worst = needs.highest
    if worst is None:
        yield Cause(Fate.PASS, "it asks for no more than its architecture's baseline")
    else:
        yield Cause(Fate.PASS, f"{worst.where} needs x86-64-v{worst.level}, the target gives v{target.cpu_level}", worst.where)


class UserlandVerdict(Verdict, stage=Stage.USERLAND, place=80):
    """Do ld.so, libc and init run on the target's CPU?"""

    binaries = Judge(_binaries)
    distribution = Judge(_distribution)
    runs = Judge(_runs)
