"""Whether QEMU can really use KVM here. A readable /dev/kvm proves nothing: QEMU may abort, or its vCPU may never run or crawl."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time

from v2vlint import programs
from v2vlint.model.dataclass import dataclass

QEMU = "qemu-system-x86_64"
PATIENCE, TIMES = 1.0, 4
"""Time limit for KVM: this many seconds, or this multiple of the time under emulation, whichever is longer. On some hosts /dev/kvm exists,
but a machine under it never executes anything, or runs ten times slower than under emulation. A loaded host slows both down."""
LONGEST = 10.0
KVM = ("-accel", "kvm", "-cpu", "host")
_MACHINE = (
    "-M",
    "pc",
    "-m",
    "16",
    "-nodefaults",
    "-display",
    "none",
    "-boot",
    "a",
    "-device",
    "isa-debug-exit,iobase=0xf4,iosize=1",
)
_SWITCH_OFF = bytes.fromhex("b010 e6f4 f4 ebfd")
"""``mov al, 0x10; out 0xf4, al; hlt; jmp -3``: isa-debug-exit makes QEMU exit with twice the value plus one."""
_SWITCHED_OFF = 0x21


@dataclass(frozen=True, slots=True)
class Acceleration:
    """``kvm`` says whether hardware virtualisation works; ``reason`` says why not."""

    kvm: bool
    reason: str = ""

    @property
    def word(self) -> str:
        """The accelerator's name in reports."""
        return "KVM" if self.kvm else "software emulation"


@functools.cache
def acceleration() -> Acceleration:
    """Boot a 16 MiB machine whose boot sector powers it off, emulated and under KVM (about 0.6 s, once per process)."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Acceleration(False, "/dev/kvm is absent or not accessible")
    program = programs.find(QEMU)
    if program is None:
        return Acceleration(False, f"{QEMU} is not installed")
    with tempfile.NamedTemporaryFile(prefix="v2vlint-kvm-") as floppy:
        floppy.write(_SWITCH_OFF.ljust(510, b"\0") + b"\x55\xaa")
        floppy.flush()
        machine = [*_MACHINE, "-drive", f"file={floppy.name},format=raw,if=floppy,read-only=on"]
        return _compared(program, machine)


def _compared(program: str, machine: list[str]) -> Acceleration:
    started = time.monotonic()
    _tried([program, "-accel", "tcg", *machine], LONGEST)
    emulated = time.monotonic() - started
    return _tried([program, *KVM, *machine], min(LONGEST, max(PATIENCE, TIMES * emulated)))


def _tried(command: list[str], patience: float) -> Acceleration:
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience, cwd=programs.NEUTRAL, env=programs.environment())
    except subprocess.TimeoutExpired:
        return Acceleration(False, "a machine under KVM does not run, or runs slower than under emulation")
    if done.returncode == _SWITCHED_OFF:
        return Acceleration(True)
    words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return Acceleration(False, words[-1])
