"""Initramfs: can it reach the root disk through the target's controller, and mount the root filesystem?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.path import DriveFate
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict


def _drives(boot: DefaultBoot, stack: RootStack, target: Target) -> Iterator[Cause[None]]:
    """Controller, layers and filesystem, each by built-in drivers or by modules in the image."""
    choice, path = boot.choice, boot.path
    where = choice.initrd_where or choice.where
    if path is None:
        yield Cause(Fate.FAIL, f"{' or '.join(choice.initrds) or choice.kernel_path} does not exist", choice.where)
        return
    if path.image is not None and path.image.damage:
        yield Cause(Fate.FAIL, f"{path.image.where} {path.image.damage}", path.image.where)
        return
    fates = [path.controller(controller) for controller in target.controllers]
    fates += [path.root_filesystem(stack), path.layers(stack)]
    yield from (Cause(Fate.FAIL, _words(fate), fate.failing()[0].where) for fate in fates if fate.usable is False)
    yield from (Cause(Fate.UNKNOWN, _words(fate), fate.unknown[0].where) for fate in fates if fate.usable is None)
    if not fates[-2].fates:
        yield Cause(Fate.UNKNOWN, "the root filesystem was not recognised", where)
    what = "no initramfs; the kernel itself" if path.image is None else path.image.generator or "an initramfs"
    drives = ", ".join(fate.name for fate in fates[:-2])
    yield Cause(Fate.PASS, f"{what} drives {drives} and mounts {stack.fs_type}", where)


def _words(fate: DriveFate) -> str:
    part = (fate.failing() or fate.unknown)[0]
    return f"{fate.name}: {part}"


class InitramfsVerdict(Verdict, stage=Stage.INITRAMFS, place=50):
    """Can the initramfs reach the root disk through the target's controller, and mount the root filesystem?"""

    drives = Judge(_drives)
