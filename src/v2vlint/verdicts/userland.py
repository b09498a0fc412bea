"""Userland: do ld.so, libc and init run on the target's CPU?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.kernel.cpu_needs import BinaryNeed, CpuNeeds
from v2vlint.model.arm_level import arm_words
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired


def _binaries(needs: CpuNeeds, target: Target, conversion: Conversion, refusals: Refusals, os: OsInfo) -> Iterator[Cause[BinaryNeed]]:
    """The x86-64 level in their ELF notes. virt-v2v requests level 2 for the Red Hat family from version 9: ``do_convert``."""
    worst = needs.highest
    if needs.machine not in ("x86_64", "") or worst is None or worst.level <= target.cpu_level:
        return
    reason = f"{worst.where} needs an x86-64-v{worst.level} CPU, and the target guarantees v{target.cpu_level}"
    raised = conversion.fits and refusals.converts and worst.level == 2 and os.family == "rhel" and os.major >= 9
    yield repaired(reason, worst.where, worst) if raised else fault(True, reason, worst.where, worst)


def _distribution(needs: CpuNeeds, target: Target, os: OsInfo) -> Iterator[Cause[None]]:
    """The distribution's known level, where there is no ELF note; on 64-bit ARM there never is."""
    if needs.machine == target.arch == "aarch64" and needs.arm_level > target.arm_level:
        where = next((need.where for need in needs.binaries), WholeFile("/etc/os-release"))
        reason = f"{os.name} {os.version} is built for {arm_words(needs.arm_level)}, above the {arm_words(target.arm_level)} of the target"
        yield doubt(True, reason, where, None)
    if needs.machine not in ("x86_64", "") or (needs.highest and needs.highest.level > target.cpu_level) or not needs.binaries:
        return
    if needs.distribution_level > max(target.cpu_level, needs.level):
        where = next((need.where for need in needs.binaries), WholeFile("/etc/os-release"))
        reason = f"{os.name} {os.version} is built for x86-64-v{needs.distribution_level}, above the v{target.cpu_level} of the target"
        yield doubt(True, reason, where, None)


def _runs(needs: CpuNeeds, target: Target) -> Iterator[Cause[None]]:
    """The level that is needed and available."""
    worst = needs.highest
    if worst is None:
        yield Cause(Fate.PASS, "needs no more than the architecture's baseline")
    else:
        yield Cause(Fate.PASS, f"{worst.where} needs x86-64-v{worst.level}, the target guarantees v{target.cpu_level}", worst.where)


def _shell(end: BootEnd) -> Iterator[Cause[None]]:
    """A shell in place of an init, or an init that starts nothing."""
    if end.shell:
        yield fault(True, end.shell, end.where, None)


class UserlandVerdict(Verdict, stage=Stage.USERLAND, place=80):
    """Do ld.so, libc and init run on the target's CPU?"""

    binaries = Judge(_binaries)
    shell = Judge(_shell)
    distribution = Judge(_distribution)
    runs = Judge(_runs)
