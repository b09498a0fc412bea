"""A stage's causes for a guest given as a few literals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.facts.guests import DEBIAN
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Fate, Mover, Severity
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content
from v2vlint.model.target import Controller
from v2vlint.model.verdict import Cause
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

Told = list[tuple[Fate, Severity | None]]
ROOT, DATA, VOLUME = (f"0a1b2c3d-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))


def store(files: Mapping[str, Content], *given: object, target: str = "kvm", mover: Mover = Mover.RAW) -> FactStore:
    """The facts of a guest with these files; what is ``given`` stands in for what would be found."""
    known = {type(fact) for fact in given}
    usual = (memory_guest(dict(files)), DISKS, DEBIAN, Definition("", ""), CardNames(), load(target), mover)
    return FactStore((*(fact for fact in usual if type(fact) not in known), *given))


def told(causes: Iterable[Cause[object]]) -> Told:
    """Fate and severity of each cause."""
    return [(cause.fate, cause.severity) for cause in causes]


def disk(number: int = 1, **more: object) -> BlockDevice:
    """A disk of 8 GiB."""
    return BlockDevice(f"disk{number}", "disk", 8 << 30, number - 1, **more)  # type: ignore[arg-type]


def part(number: int, fs_type: str = "ext4", uuid: str = "", on: int = 1, **more: object) -> BlockDevice:
    """A partition of 1 GiB of the disk ``on``."""
    return BlockDevice(
        f"disk{on}p{number}",
        "partition",
        1 << 30,
        on - 1,
        number,
        fs_type,
        uuid,
        parents=(f"disk{on}",),
        **more,  # type: ignore[arg-type]
    )


def landing(*prefixes: str) -> Landing:
    """Controllers with these names of disks; the first stands for virtio-blk if none is given."""
    return Landing(tuple(Controller(prefix, prefix, ((prefix,),)) for prefix in prefixes or ("vd",)), (), ("bios",))


DISKS = BlockTable((disk(), part(1, "ext4", ROOT), part(2, "xfs", DATA), part(3, "swap", VOLUME)))
FAILS = (Fate.FAIL, Severity.ERROR)
WARNS = (Fate.PASS, Severity.WARNING)
UNSURE = (Fate.UNKNOWN, Severity.WARNING)
UNKNOWN = (Fate.UNKNOWN, None)
REPAIRED = (Fate.PASS, Severity.INFO)


EL9 = OsInfo("linux", "rocky", "rhel", "Rocky Linux", "9.4", "x86_64")
ON_VOLUME = "/dev/vg/data /data xfs defaults 0 2"


def volumes(*numbers: int) -> BlockTable:
    """Physical volumes on partitions with these numbers; ``vg/data`` is on the last."""
    members = [part(number, "LVM2_member", f"pv{number}", part_uuid=f"part{number}") for number in numbers]
    return BlockTable((disk(), *members, BlockDevice("vg/data", "lv", 1 << 30, 0, fs_type="xfs", uuid=DATA, parents=(members[-1].name,))))
