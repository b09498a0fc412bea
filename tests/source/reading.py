"""Reading a definition as the command line does, for the tests of its kinds."""

from __future__ import annotations

import os
from pathlib import Path

from v2vlint.model.definition import Definition
from v2vlint.model.source import GuestSource
from v2vlint.run.settings import Access
from v2vlint.source.locate import locate

UUID = "7b10d7af-b932-4c66-b2c3-3996152ec465"
GENID = "13c67c91-9f47-526f-b0d6-e4dd2e4bb4f9"


def source(path: Path, allowed: tuple[Path, ...] = ()) -> tuple[GuestSource, Definition]:
    (ref,) = Access(allowed=tuple(map(str, allowed))).guests([str(path)])
    found = locate(ref)
    assert found.definition is not None
    return found, found.definition


def disks(found: GuestSource, folder: Path) -> list[str]:
    return [os.path.relpath(disk.path, folder) for disk in found.disks]
