"""What the guest's init does at boot when a filesystem in fstab cannot be mounted.

systemd fails local-fs.target and stops in emergency mode (systemd.mount(5), "fstab"), except for ``/``: that is already mounted from the
device on the kernel command line and only remounted (seen in docs/truth-table.md, guest ``fstabdevice``). Ubuntu's mountall waits for a
key press on the console; Red Hat's and Debian's SysV scripts stop when fsck fails, which affects only entries with a pass number; OpenRC
continues.
"""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.environment.services import Services
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.fstab import FstabEntry
from v2vlint.model.osinfo import OsInfo


@dataclass(frozen=True, slots=True)
class MountPolicy:
    """``style`` is ``systemd`` (also for an unknown init), ``mountall``, ``sysv`` or ``openrc``."""

    style: str = "systemd"

    def stops(self, entry: FstabEntry) -> bool:
        """Whether boot stops when the device of ``entry`` is missing."""
        if not entry.blocks_boot or self._is_mounted_already(entry):
            return False
        if self.style == "sysv":
            return entry.passno > 0
        return self.style != "openrc" or entry.mount_point in ("/", "/usr")

    def _is_mounted_already(self, entry: FstabEntry) -> bool:
        return self.style == "systemd" and entry.mount_point == "/"

    def effect(self, entry: FstabEntry) -> str:
        """What boot does without the device of ``entry``, as text."""
        if self.stops(entry):
            return {
                "systemd": "systemd waits 90 s for the device, then stops in emergency mode",
                "mountall": "boot stops and waits for a key to be pressed",
                "sysv": "fsck fails, and boot stops in a maintenance shell",
                "openrc": "boot fails without it",
            }[self.style]
        if self._is_mounted_already(entry):
            return "boot continues with the root from the kernel command line; programs that look it up in fstab do not find it"
        waits = self.style == "systemd" and "nofail" not in entry.options
        if entry.is_swap:
            return "boot waits 90 s for it and continues without it" if waits else "boot continues without it"
        return "it stays unmounted"


@provides
def find_mount_policy(services: Services, os: OsInfo) -> MountPolicy:
    """Decide by the init program. RHEL 6 has upstart, but mounts with the old scripts."""
    if services.init == "upstart":
        return MountPolicy("sysv" if os.family == "rhel" else "mountall")
    return MountPolicy({"sysv": "sysv", "openrc": "openrc"}.get(services.init, "systemd"))
