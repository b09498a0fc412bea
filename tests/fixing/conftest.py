"""What tests of transactions share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this test, which is not the user's."""
    folder = tmp_path_factory.mktemp("state")
    folder.chmod(0o700)
    monkeypatch.setenv("V2VLINT_STATE", str(folder))
    return folder


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: there fsync(2) costs nothing."""
    shm = Path("/dev/shm")
    base = str(shm) if os.access(shm, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="v2vlint-test-", dir=base))
    yield folder
    shutil.rmtree(folder)
