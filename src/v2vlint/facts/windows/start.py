"""The boot manager of Windows that the firmware comes to: there may be one on an ESP and another one for a BIOS."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.registry import provides
from v2vlint.facts.windows.boot import WindowsBoot


@dataclass(frozen=True, slots=True)
class WindowsStart:
    """``boot`` is what the firmware chosen starts Windows with; that on the ESP where the choice is open."""

    boot: WindowsBoot


@provides
def choose_boot(boot: WindowsBoot, firmware: ChosenFirmware) -> WindowsStart:
    """A BIOS takes the boot manager made for it, where there is one."""
    return WindowsStart(boot.bios if firmware.kind == "bios" and boot.bios is not None else boot)
