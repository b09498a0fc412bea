"""How a proposed machine differs from the definition that the guest came with, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from v2vlint.defining.protocol import ProposedMachine
from v2vlint.model.definition import Definition


def changed(old: Definition, new: ProposedMachine) -> Iterator[str]:
    """One sentence per difference; none without a definition. Differences that other notes explain are left out."""
    if not old.source:
        return
    disks = {" ".join(part for part in (disk.bus, disk.model) if part) for disk in old.disks} - {""}
    yield from _moved("the disks", sorted(disks), sorted({disk.bus for disk in new.disks}))
    yield from _moved("the cards", sorted({nic.model for nic in old.nics} - {""}), sorted({card.model for card in new.cards}))
    if old.machine and not old.machine.startswith(_family(new.machine)):
        yield f"machine type {new.machine}; it was {old.machine}"
    if old.tpm:
        yield "the TPM is new: keys sealed in the old one are lost"
    if not old.memory_mib or "memory_mib" not in old.places:
        yield f"{new.memory_mib} MiB of memory: the definition states none"
    if old.topology.sockets and new.topology is None and old.cpus > 1:
        yield "the processor topology is not carried over: it does not match their number"
    if left := list(_left(old)):
        yield f"not carried over: {', '.join(left)}"


def _family(machine: str) -> tuple[str, ...]:
    return {"q35": ("q35", "pc-q35"), "virt": ("virt",)}.get(machine, ("pc", "pc-i440fx"))


def _moved(what: str, before: list[str], now: list[str]) -> Iterator[str]:
    words = {one.lower().split(" ")[0] for one in before}
    if before and now and words != set(now):
        yield f"{what} are {', '.join(now)}; they were {', '.join(before)}"


def _left(old: Definition) -> Iterator[str]:
    yield from _counted("empty drive", (one.kind for one in old.media if not one.path))
    yield from (f"{one.kind} with {one.path}" for one in old.media if one.path)
    yield from _counted("snapshot", ("" for _one in old.snapshots))
    yield from (f"passed-through {one.kind} {one.value}".rstrip() for one in old.passthrough)
    yield from dict.fromkeys(one.kind for one in old.features if not one.kind.startswith(("manifest-", "configuration", "ignored-")))


def _counted(what: str, kinds: Iterable[str]) -> Iterator[str]:
    for kind, number in Counter(kinds).items():
        name = f"{what} ({kind})" if kind else what
        yield f"{name} × {number}" if number > 1 else name
