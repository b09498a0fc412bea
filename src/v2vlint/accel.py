"""Whether QEMU can really use KVM here. A readable /dev/kvm proves nothing: QEMU may still abort when it starts a vCPU."""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import dataclass

from v2vlint import programs

QEMU = "qemu-system-x86_64"
_QUIT = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'


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
    """Try a stopped 16 MiB machine under KVM (about 0.1 s, once per process)."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Acceleration(False, "/dev/kvm is absent or not accessible")
    program = programs.find(QEMU)
    if program is None:
        return Acceleration(False, f"{QEMU} is not installed")
    command = [program, "-accel", "kvm", "-cpu", "host", "-M", "pc", "-m", "16", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"]
    try:
        done = subprocess.run(command, input=_QUIT, capture_output=True, timeout=20, cwd=programs.NEUTRAL, env=programs.environment())
    except subprocess.TimeoutExpired:
        return Acceleration(False, "QEMU hangs with KVM")
    if done.returncode == 0:
        return Acceleration(True)
    words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
    return Acceleration(False, words[0])
