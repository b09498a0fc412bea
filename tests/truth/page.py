"""The part of docs/truth-table.md that is made from the tables of drawn cells: ``python -m tests.truth.page``."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from tests.truth import record
from tests.truth.bases import BASES
from tests.truth.draw import DEFECTS, TARGETS, Loader, Manager, Stack, drawn
from tests.truth.record import Row

PAGE = record.ROOT / "docs" / "truth-table.md"
BEGIN = "## Guests drawn at random\n"
_WORDS = {
    "agree": "agree",
    "differ": "**one comes up, the other does not**",
    "elsewhere": "both stop, at different places",
    "network": "both come up, the network differs",
    "open": "no verdict",
}


def made(boots: Iterable[Row], containers: Iterable[Row]) -> str:
    """The sections, as Markdown."""
    return "\n".join([*_boots(list(boots)), "", *_containers(list(containers)), "", *_uncovered()]) + "\n"


def _boots(rows: list[Row]) -> Iterator[str]:
    counts = collections.Counter(row.verdict for row in rows)
    yield BEGIN
    yield "A number draws suite, init, initramfs, loader, firmware, filesystem, stack, kernel, network, hardware and none to three defects"
    yield f"({len(BASES)} bases, {len(TARGETS)} machines, {len(DEFECTS)} defects; `tests/truth/draw.py`)."
    yield "The same number makes the same guest: `PYTHONPATH=sample-guests python -m tests.truth.random --first N --count 1`."
    yield "The guests have few services and no drivers of real hardware, to boot fast; a boot ends at the first line that decides it."
    yield ""
    yield f"- Cells: {len(rows)}: " + ", ".join(f"{_WORDS[word]} {count}" for word, count in sorted(counts.items()))
    yield f"- Guests that came up {sum(row.seen == 'comes up' for row in rows)}, that stopped {sum('stops' in row.seen for row in rows)}"
    yield from _drawn(rows)
    yield ""
    yield "| seed | commit | guest, machine: defects | forecast | boot | network: forecast, seen | card: forecast, seen | s | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: int(row.seed)):
        network = f"{row.network_forecast}, {row.network_seen}" if row.network_seen else ""
        names = f"{row.names_forecast}, {row.names_seen}" if row.names_seen else ""
        words = (row.seed, row.commit, row.cell, row.forecast, row.seen, network, names, row.seconds, _WORDS[row.verdict])
        yield f"| {' | '.join(word.replace('|', '/') for word in words)} |"


def _drawn(rows: list[Row]) -> Iterator[str]:
    """How often each kind was drawn, and which never was."""
    cells = [cell for row in rows if (cell := drawn(int(row.seed))).name == row.cell]
    kinds: dict[str, tuple[tuple[str, ...], list[str]]] = {
        "Installed": (tuple(BASES), [cell.guest.base for cell in cells]),
        "Stacks": (get_args(Stack), [cell.guest.stack for cell in cells]),
        "Loaders": (get_args(Loader), [cell.guest.loader for cell in cells]),
        "Network": (get_args(Manager), [cell.guest.manager for cell in cells]),
        "Machines": (TARGETS, [cell.target for cell in cells]),
        "Defects": (tuple(one.name for one in DEFECTS), [one.name for cell in cells for one in cell.defects]),
    }
    for title, (possible, seen) in kinds.items():
        counts = collections.Counter(seen)
        never = [one for one in possible if one not in counts]
        told = ", ".join(f"{one} {counts[one]}" for one in possible if one in counts) or "none"
        yield f"- {title}: {told}" + (f"; not drawn yet: {', '.join(never)}" if never else "")


def _containers(rows: list[Row]) -> Iterator[str]:
    counts = collections.Counter(row.verdict for row in rows)
    seen = collections.Counter(row.seen for row in rows)
    yield "## systemd in containers"
    yield ""
    yield "Debian's own systemd boots with drawn fstab lines, units, drop-ins, masks and command lines; devices fail at once there"
    yield "(`python -m tests.truth.nspawn --first N --count N`; each cell is in `tests/truth/containers.tsv`)."
    yield ""
    commits = ", ".join(dict.fromkeys(row.commit for row in rows))
    yield f"- Cells: {len(rows)} (seeds {_range(rows)}, commits {commits or '-'}); agree {counts['agree']}, differ {counts['differ']}"
    yield f"- In {counts['either']} the outcome is not told: systemd's own choice differs from boot to boot where it drops one of several"
    yield "  requirements, and it freezes where mounts that the default target requires form a circle or lack a unit"
    yield "- Seen: " + ", ".join(f"{word} {count}" for word, count in sorted(seen.items()))


def _range(rows: list[Row]) -> str:
    numbers = [int(row.seed) for row in rows]
    return f"{min(numbers)} to {max(numbers)}" if numbers else "none"


def _uncovered() -> Iterator[str]:
    yield "## What is not covered"
    yield ""
    yield "- Distributions other than Debian: their boot paths are recreated as sample guests and not booted."
    yield "- Windows: registries and disks are built, nothing of Windows is booted."
    yield "- Stacks other than those drawn (more MD levels, LVM RAID, bcache, several disks) are in unit tests and samples only."
    yield "- init systems that Debian does not have (s6, busybox, dinit); loaders other than GRUB, systemd-boot and EXTLINUX."
    yield "- Hypervisors other than QEMU: of VMware and VirtualBox the devices that QEMU has too, of Hyper-V and Xen nothing."
    yield "- 64-bit ARM: Debian 12 only, in the rows that say so; a guest for another architecture is refused by the prover, not booted."
    yield "- Chance: below 3000, numbers were taken for what they make. From 3000 they were taken in order, from 4000 in order for the"
    yield "  bases with another init or kernel, from 5000 in order again, from 6000 in order without guests that have no defect, from 7000"
    yield "  only those that lack a loader, a kernel or an initramfs and so stop early, from 9020 in order, from 10000 for what they"
    yield "  make, from 12000 in order without IDE, ARM and systemd-boot (whose program was not there to install). ARM has been drawn on"
    yield "  purpose only, and between 8000 and 9020 IDE, from which a BIOS in emulation takes minutes to read."
    yield "- The last row of a number counts. Run again after a fault was mended: the forecast's or the prover's at 3001, 3007, 3008, 3012,"
    yield "  3025, 3027, 3034, 4013, 8011, 8125, 9113 and 10237, the builder's at 28, 3011, 3017, 4002, 4003, 4005, 4021 and 9029, and"
    yield "  after starvation 7548, 8079 and 9012."
    yield "- UEFI guests on VMware's PVSCSI start with their kernel: QEMU's firmware has no driver for it. Those that are said to stop"
    yield "  before their kernel were not run."
    yield "- Card names of VMware and VirtualBox: QEMU's machine has other slots. Where a row has enp0s2 or enp0s3, the prover put the"
    yield "  card of a Q35 on the root bus; it has it behind a port now, where libvirt puts it (enp1s0)."
    yield "- Rows with a + ran on a clone whose changes landed later. The machine was shared: where its load starves a guest for minutes,"
    yield "  the boot has no verdict, or systemd gives up on a device that is there. Its time-outs are 300 s in these guests."
    yield "- Timing: everything runs in software emulation, and containers have no devices to wait for."
    yield '- What is "not drawn yet" above.'


def write(path: Path = PAGE) -> None:
    """Replace the part of the page that begins with the drawn guests."""
    head = path.read_text("utf-8").partition(BEGIN)[0].rstrip("\n")
    path.write_text(f"{head}\n\n{made(record.rows(record.BOOTS), record.rows(record.CONTAINERS))}", "utf-8")


if __name__ == "__main__":
    write()
    sys.exit(0)
