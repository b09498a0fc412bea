"""Proof: boot the guest copy-on-write under QEMU and observe how far it gets."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.proof import Proof, Via
from v2vlint.model.report import Forecast
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.target import Firmware, Target

if TYPE_CHECKING:
    from v2vlint.proving.protocol import PreparedBoot
    from v2vlint.proving.watch import Progress


@dataclass(frozen=True, slots=True)
class Wish:
    """How to boot; None leaves it to the guest and the target. ``timeout`` is in seconds, ``memory`` in MiB."""

    via: Via = "firmware"
    firmware: Firmware | None = None
    timeout: float | None = None
    memory: int | None = None
    artifacts: Path | None = None
    keys: Keys = Keys()


NO_WISH = Wish()


def prove(guest: GuestRef, target: Target, wish: Wish = NO_WISH, progress: Progress | None = None) -> Proof:
    """Boot ``guest`` on ``target``'s hardware. ImageError when it cannot be read or run, UsageError when something is not installed."""
    from v2vlint.proving.run import DirectKernel, Options
    from v2vlint.proving.run import prove as boot
    from v2vlint.source.journal import pending

    if guest.unwritable:
        raise UsageError(f"{guest.name} cannot be booted here", hint="a proof boots disks on this host: copy or build them here first")
    with tempfile.TemporaryDirectory(prefix="v2vlint-kernel-") as name:
        folder = Path(name)
        prepared = _prepared(guest, target, wish, folder)
        # What an interrupted fix left is neither the old guest nor the new one.
        for problem in pending(guest.paths, (file for disk in prepared.disks for file in disk.files)):
            raise ImageError(f"{problem.where}: {problem.reason}", hint=problem.hint)
        found = prepared.kernel
        if wish.via == "kernel" and found is None:
            raise ImageError(f"{guest.name}: there is no kernel to start: {prepared.no_kernel}", hint="boot it through the firmware")
        kernel = DirectKernel(folder / found.kernel, tuple(folder / one for one in found.initrds), found.command_line) if found else None
        options = Options(
            target=replace(target, hardware=prepared.hardware),
            firmware=wish.firmware or prepared.firmware,
            boot_disk=prepared.boot_disk if prepared.boot_disk < len(prepared.disks) else 0,
            kernel=kernel,
            timeout=wish.timeout,
            memory=wish.memory,
            mac=prepared.mac if prepared.mac and target.has_mac(prepared.mac) else next(iter(target.macs), None),
            fonts=tuple({bytes.fromhex(bitmap): char for bitmap, char in font} for font in prepared.fonts),
            artifacts=wish.artifacts,
        )
        return boot(prepared.disks, options, progress)


def forecast(guest: GuestRef, target: Target, keys: Keys | None = None) -> Forecast | None:
    """A check's prediction for a raw copy; None when nothing can be forecast for the guest."""
    from v2vlint.engine.check import check_all, forecast_of
    from v2vlint.engine.protocol import CheckAsk

    return forecast_of(check_all([CheckAsk(guest, (target,), keys=keys or Keys())]).images[0])


def _prepared(guest: GuestRef, target: Target, wish: Wish, folder: Path) -> PreparedBoot:
    from v2vlint.confine import Grant
    from v2vlint.engine.child import answer
    from v2vlint.files import Desk
    from v2vlint.isolate import DEFAULT_LIMITS
    from v2vlint.proving.protocol import PREPARE, PreparedBoot, ProveAsk, is_valid

    ask = ProveAsk(guest, target, str(folder), wish.via == "kernel", wish.keys)
    desk = Desk(guest)
    prepared = answer(PREPARE, ask, PreparedBoot, guest, DEFAULT_LIMITS, desk, Grant(write=(str(folder),)))
    # QEMU opens only what the child itself was given.
    if not is_valid(prepared, target) or not all(desk.gave(path) for disk in prepared.disks for path in disk.files):
        raise ImageError(f"{guest.name}: the reader process gave no valid answer")
    return prepared
