"""The requests and answers that the parent and the child of a fix exchange: plain data."""

from __future__ import annotations

import enum

from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Applicability
from v2vlint.model.report import ImageReport
from v2vlint.model.rule import RuleInfo

PREPARE = "v2vlint.fixing.prepare:prepare"
GENERATORS = (
    ("/usr/sbin/update-initramfs", "update-initramfs -u -k {version}"),
    ("/usr/bin/dracut", "dracut -f --kver {version}"),
    ("/usr/bin/mkinitcpio", "mkinitcpio -P"),
    ("/sbin/mkinitrd", "mkinitrd"),
)
"""The guests' initramfs generators, by path, with the command that makes images again: the only programs of a guest that ever run."""


class Writer(enum.StrEnum):
    """The back-end that writes into guests: an appliance, filesystem libraries and tools, or whichever fits."""

    AUTO = "auto"
    LIBGUESTFS = "libguestfs"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class FixAsk:
    """Request to judge one guest and prepare fixes that are at least as safe as ``at_least``.

    ``without`` are (rule, title) of fixes to leave out. ``rebuild`` has the guest's own generator rebuild its initramfs. ``virtio_win`` is
    the path of an ISO or directory with drivers for Windows. ``writer`` is the back-end.
    """

    ask: CheckAsk
    at_least: Applicability = Applicability.SAFE
    without: tuple[tuple[str, str], ...] = ()
    rebuild: bool = False
    virtio_win: str = ""
    writer: Writer = Writer.AUTO


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fix to apply: its rule, its title, the device of its root, and the places of its findings."""

    rule: str
    title: str
    root: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A fix that is not applied, and why: ``left alone: excepted, REASON`` for one that the user excepted.

    A fix with ``later`` overlaps another one and may be applied in the next round.
    """

    rule: str
    title: str
    reason: str
    later: bool = False


@dataclass(frozen=True, slots=True)
class PreparedFix:
    """The guest's report and the planned changes. ``request`` is the guest's part of a worker request, as JSON.

    ``known`` is the number of findings that could be fixed but are left alone because they are in the baseline.
    """

    image: ImageReport
    rules: tuple[RuleInfo, ...]
    chosen: tuple[Chosen, ...]
    held: tuple[Held, ...]
    diff: str
    request: str
    formats: tuple[str, ...] = ()
    written: int = 0
    known: int = 0

    @property
    def has_work(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.chosen)
