"""The Windows boot manager that the firmware starts: there may be one on an ESP and another for a BIOS."""

from __future__ import annotations

from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.registry import provides
from v2vlint.facts.windows.boot import WindowsBoot
from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WindowsStart:
    """``boot`` is the boot manager for the chosen firmware, or the one on the ESP if the choice is open."""

    boot: WindowsBoot


@provides
def choose_boot(boot: WindowsBoot, firmware: ChosenFirmware) -> WindowsStart:
    """A BIOS uses the boot manager made for it, if there is one."""
    return WindowsStart(boot.bios if firmware.kind == "bios" and boot.bios is not None else boot)
