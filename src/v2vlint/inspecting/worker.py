"""The child's side of an inspection: open the guest, describe its roots. Runs under :mod:`v2vlint.isolate`, never in the parent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from v2vlint.facts.registry import FactStore
from v2vlint.guest.open import GuestContents, changes, open_guest
from v2vlint.inspecting.booted import mark_booted
from v2vlint.inspecting.protocol import InspectAsk
from v2vlint.inspecting.root import inspect_root
from v2vlint.inspecting.storage import encryption, firmware, volumes
from v2vlint.model.codec import decode, encode
from v2vlint.model.definition import Definition
from v2vlint.model.errors import ImageError
from v2vlint.model.machine import Machine, OperatingSystem
from v2vlint.model.report import Problem
from v2vlint.model.secrecy import without_secrets
from v2vlint.model.source import GuestSource
from v2vlint.source.locate import locate


def inspect(request: Any) -> Any:
    """Answer an encoded :class:`~v2vlint.inspecting.protocol.InspectAsk` with an encoded :class:`~v2vlint.model.machine.Machine`."""
    return without_secrets(encode(inspect_guest(decode(InspectAsk, request))))


def inspect_guest(ask: InspectAsk) -> Machine:
    """Open the guest and describe it. An image that cannot be opened is a machine with its problem."""
    started = time.perf_counter()
    try:
        source = locate(ask.guest)
        source = replace(source, disks=()) if ask.unopened else source
        return _machine(ask, source, open_guest(source, ask.keys), started)
    except ImageError as error:
        return Machine(ask.guest.name, ask.guest.paths, problems=(Problem(ask.guest.name, error.message, error.hint),))


def _machine(ask: InspectAsk, source: GuestSource, guest: GuestContents, started: float) -> Machine:
    problems = [*guest.problems, *_manifest(source.definition)]
    systems: list[OperatingSystem] = []
    stores: list[FactStore] = []
    for root in (replace(one, fs=one.fs.as_known()) for one in guest.roots):
        store = FactStore((root.fs, guest.blocks, root.os, source.definition or Definition("", "")))
        try:
            systems.append(inspect_root(root, store, ask.applications))
            stores.append(store)
        except (MemoryError, ImageError):
            raise
        # A root that crashes its reader must not take the others with it.
        except Exception as error:
            problems.append(Problem(root.device, f"inspecting it failed: {type(error).__name__}: {error}"))
    marked, reason = mark_booted(systems, stores, guest.blocks)
    return Machine(
        name=ask.guest.name,
        paths=tuple(disk.path for disk in source.disks),
        format=guest.format,
        size=guest.size,
        firmware=firmware(guest.blocks),
        devices=guest.blocks.devices,
        volumes=volumes(guest),
        encryption=encryption(guest.blocks),
        systems=marked,
        boot_reason=reason,
        applications=ask.applications,
        problems=(*problems, *changes(guest)),
        seconds=time.perf_counter() - started,
        definition=replace(source.definition, places={}, content="") if source.definition else None,
    )


_MANIFEST = {
    "manifest-mismatch": "its checksum is not the one in the manifest",
    "manifest-missing": "the manifest lists it, and it does not exist",
    "manifest-malformed": "not a valid manifest line",
}


def _manifest(definition: Definition | None) -> Iterator[Problem]:
    """Problems found by checking a package's manifest."""
    for one in definition.features if definition else ():
        if one.kind in _MANIFEST:
            yield Problem(str(one.where), f"{one.value}: {_MANIFEST[one.kind]}")
