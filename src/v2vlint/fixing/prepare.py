"""The child's side of fixing: it judges the guest, chooses fixes, and turns their edits into operations for ``guestfs_worker``."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem
from v2vlint.engine.protocol import Judged
from v2vlint.engine.worker import import_rules, judge_guest
from v2vlint.fixing.drivers import DriverOffer
from v2vlint.fixing.offered import offered
from v2vlint.fixing.operations import RootWork, build
from v2vlint.fixing.orders import DeviceName, Mounting, Orders, RootOrders, Unlocking
from v2vlint.fixing.plan import plan
from v2vlint.fixing.protocol import Chosen, FixAsk, Held, PreparedFix
from v2vlint.fixing.virtio_win import VirtioWinMedium
from v2vlint.guest.closed import Closed
from v2vlint.guest.open import GuestContents, Root
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Finding
from v2vlint.model.fix import Fix
from v2vlint.model.place import Span
from v2vlint.model.report import ImageReport, RootReport
from v2vlint.model.secrecy import hidden, without_secrets
from v2vlint.model.source import Keys

_LATER = "overlaps another fix"


def warm(request: Any) -> None:
    """Import the rules before the child is confined."""
    import_rules(decode(FixAsk, request).ask.selection)


def prepare(request: Any) -> Any:
    """Answer an encoded :class:`FixAsk` with an encoded :class:`PreparedFix`."""
    asked = decode(FixAsk, request)
    judged, guest = judge_guest(asked.ask)
    offers: list[Held] = []
    if asked.virtio_win and guest:
        image, offers = _with_drivers(asked.virtio_win, judged.image, guest)
        judged = replace(judged, image=image)
    works = [_root(asked, root, guest, report) for root, report in _pairs(judged.image, guest)] if guest else []
    prepared = encode(_prepared(asked, judged, guest, works, offers))
    # Not in the request: what is masked there would be written into the guest.
    return {**without_secrets({**prepared, "request": "", "rules": []}), "request": prepared["request"], "rules": prepared["rules"]}


def _with_drivers(virtio_win: str, image: ImageReport, guest: GuestContents) -> tuple[ImageReport, list[Held]]:
    roots = {root.device: DriverOffer(VirtioWinMedium(virtio_win), root) for root in guest.roots}
    reports = tuple(roots[report.device].to(report) if report.device in roots else report for report in image.roots)
    return replace(image, roots=reports), [held for offer in roots.values() for held in offer.held]


def _pairs(image: ImageReport, guest: GuestContents | None) -> Iterator[tuple[Root, RootReport]]:
    reports = {report.device: report for report in image.roots}
    for root in guest.roots if guest else ():
        if root.device in reports:
            yield root, reports[root.device]


@dataclass(frozen=True, slots=True)
class _Work:
    chosen: tuple[Chosen, ...]
    held: tuple[Held, ...]
    known: int
    root: RootWork
    mounts: tuple[Mounting, ...]


def _root(asked: FixAsk, root: Root, guest: GuestContents | None, report: RootReport) -> _Work:
    assert guest is not None
    offer = offered(found for target in report.targets for result in target.results for found in result.findings)
    rules = {fix: rule for fix, rule in offer.fixes.items() if (rule, hidden(fix.title)) not in asked.without}
    planned = plan(rules, asked.at_least)
    held = [Held(rules[h.fix], h.fix.title, h.reason, h.reason == _LATER) for h in planned.held_back]
    work = build(root.fs, guest.blocks, planned.chosen, rebuild=asked.rebuild)
    held += [Held(rules[fix], fix.title, reason) for fix, reason in work.refused]
    chosen = tuple(_chosen(fix, rules[fix], root, offer.findings) for fix in work.taken)
    return _Work(chosen, (*held, *offer.held), offer.known, work, tuple(mounts(root, guest.blocks)))


def _chosen(fix: Fix, rule: str, root: Root, findings: Iterable[Finding]) -> Chosen:
    places = tuple(dict.fromkeys(_place(finding) for finding in findings if finding.fix == fix))
    return Chosen(rule, fix.title, root.device, places)


def _place(finding: Finding) -> str:
    where = finding.where
    return f"{where.path}:{where.line}" if isinstance(where, Span) else str(where)


def mounts(root: Root, blocks: BlockTable) -> Iterator[Mounting]:
    """The root's mount table for the worker, without filesystems that were found on no device or are locked."""
    for point, system in root.fs.mounts.items():
        found = blocks.named(root.device) if point == "/" else next(iter(blocks.tagged("UUID", system.uuid)), None)
        if found is None or isinstance(system, Closed):
            continue
        options = f"subvolid={system.chosen}" if isinstance(system, BtrfsFileSystem) else ""
        yield {"point": point, "device": device(found), "options": options}


def device(found: BlockDevice) -> DeviceName:
    """A block device in the worker's notation."""
    return {"kind": found.kind, "disk": found.disk, "number": found.number, "name": found.name, "uuid": found.uuid}


def _needed(work: _Work) -> list[Mounting]:
    """The root and the filesystems that contain the paths to write; all filesystems when the guest's own tools run."""
    operations = work.root.operations
    paths = [op["path"] for op in operations] + [op["source"] for op in operations if op["op"] == "copy"]
    everything = any(op["op"] == "command" for op in operations)
    return [m for m in work.mounts if everything or m["point"] == "/" or any(path.startswith(f"{m['point']}/") for path in paths)]


def _unlock(blocks: BlockTable, keys: Keys) -> list[Unlocking]:
    found: list[Unlocking] = []
    for mapping in (device_ for device_ in blocks if device_.kind == "luks"):
        parent = blocks.named(mapping.parents[0]) if mapping.parents else None
        secrets = keys.opening(parent, blocks, mapping.name) if parent else ()
        if parent and secrets:
            encoded = [base64.b64encode(secret).decode() for secret in secrets]
            found.append({"device": device(parent), "name": mapping.name, "keys": encoded})
    return found


def _prepared(asked: FixAsk, judged: Judged, guest: GuestContents | None, works: list[_Work], offers: list[Held]) -> PreparedFix:
    roots: list[RootOrders] = [
        {
            "mounts": _needed(work),
            "operations": list(work.root.operations),
            "selinux": work.root.selinux,
            "windows": work.root.windows,
        }
        for work in works
        if work.root.operations
    ]
    # Keys leave this process only when there is something to write.
    orders: Orders = {"roots": roots, "unlock": _unlock(guest.blocks, asked.ask.keys) if guest and roots else []}
    return PreparedFix(
        image=judged.image,
        rules=judged.rules,
        chosen=tuple(chosen for work in works for chosen in work.chosen),
        held=(*offers, *(held for work in works for held in work.held)),
        diff="".join(work.root.diff for work in works),
        request=json.dumps(orders),
        formats=tuple(disk.detail("format") for disk in guest.blocks.disks) if guest else (),
        written=sum(work.root.written for work in works),
        known=sum(work.known for work in works),
    )
