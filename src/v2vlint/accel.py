"""Whether QEMU can really use KVM here. A readable /dev/kvm proves nothing: QEMU may abort, or its vCPU never run."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from dataclasses import dataclass

from v2vlint import programs

QEMU = "qemu-system-x86_64"
PATIENCE = 10.0
"""Seconds: under an emulator that passes /dev/kvm on, a machine may start and never execute anything."""
_MACHINE = (
    "-accel",
    "kvm",
    "-cpu",
    "host",
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
"""``mov al, 0x10; out 0xf4, al; hlt; jmp -3``: isa-debug-exit ends QEMU with the value times two, plus one."""
_SWITCHED_OFF = 0x21


@dataclass(frozen=True, slots=True)
class Acceleration:
    """``kvm`` says whether hardware virtualisation works; ``reason`` why it does not."""

    kvm: bool
    reason: str = ""

    @property
    def word(self) -> str:
        """How reports name it."""
        return "KVM" if self.kvm else "software emulation"


@functools.cache
def acceleration() -> Acceleration:
    """Boot a 16 MiB machine under KVM whose boot sector switches it off (about 0.3 s, once per process)."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Acceleration(False, "/dev/kvm is absent or not accessible")
    program = programs.find(QEMU)
    if program is None:
        return Acceleration(False, f"{QEMU} is not installed")
    with tempfile.NamedTemporaryFile(prefix="v2vlint-kvm-") as floppy:
        floppy.write(_SWITCH_OFF.ljust(510, b"\0") + b"\x55\xaa")
        floppy.flush()
        return _tried([program, *_MACHINE, "-drive", f"file={floppy.name},format=raw,if=floppy,read-only=on"])


def _tried(command: list[str]) -> Acceleration:
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, cwd=programs.NEUTRAL, env=programs.environment())
    except subprocess.TimeoutExpired:
        return Acceleration(False, "a machine under KVM does not run: QEMU starts it, and nothing happens")
    if done.returncode == _SWITCHED_OFF:
        return Acceleration(True)
    words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return Acceleration(False, words[-1])
