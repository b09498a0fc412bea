"""What rules report: findings, and the honest "could not tell"."""

from __future__ import annotations

import enum

from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Fix
from v2vlint.model.place import Where


class Severity(enum.IntEnum):
    """INFO: worth knowing · WARNING: degraded, or needs manual work · ERROR: does not boot, or is unreachable."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """The lower-case word used in every report."""
        return self.name.lower()


class Mover(enum.StrEnum):
    """How the guest is moved: RAW copies the bytes, VIRT_V2V also repairs some things."""

    RAW = "raw"
    VIRT_V2V = "virt-v2v"


class Stage(enum.StrEnum):
    """The stages of a boot, in order."""

    FIRMWARE = "firmware"
    LOADER = "loader"
    ENTRY = "entry"
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    ROOT = "root"
    UNLOCK = "unlock"
    USERLAND = "userland"
    MOUNTS = "mounts"
    NETWORK = "network"
    CONSOLE = "console"


class Fate(enum.StrEnum):
    """The outcome of one boot stage."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    ``message`` names the object and what is wrong with it (a lower-case fragment), ``effect`` the consequence for the guest.
    ``related`` are further places of interest; ``stage`` is the boot stage that fails because of it, if one does.
    """

    rule: str
    severity: Severity
    where: Where
    message: str
    effect: str = ""
    fix: Fix | None = None
    related: tuple[Where, ...] = ()
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The rule (or the reader) could not decide, because of ``reason``."""

    rule: str
    where: Where
    reason: str
