"""Kernel: does the default entry's kernel exist, whole, and does it run there?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.start import Startup
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict


def _image(startup: Startup, fs: GuestFS, kernels: Kernels, target: Target) -> Iterator[Cause[None]]:
    """The file that the loader reads."""
    entry = startup.entry
    found = kernels.of_image(entry.kernel, fs)
    if found is None:
        yield Cause(Fate.FAIL, f"{entry.kernel} does not exist", entry.where)
    elif found.content.problem:
        yield Cause(Fate.FAIL, f"{entry.kernel} {found.content.problem}", WholeFile(entry.kernel))
    elif found.is_xen_pv_only and not target.xen_pv:
        yield Cause(Fate.FAIL, f"{found.version} runs as a Xen paravirtual guest only", found.where)
    else:
        yield Cause(Fate.PASS, found.version or entry.kernel, WholeFile(entry.kernel))


class KernelVerdict(Verdict, stage=Stage.KERNEL, place=40):
    """Does the default entry's kernel exist, whole, and does it run there?"""

    image = Judge(_image)
