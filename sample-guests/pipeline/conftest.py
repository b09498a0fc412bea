"""Builds the image once per test run and opens it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_v2vlint import Guest

BUILDER = Path(__file__).parents[1] / "build.py"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image that the pipeline is about to publish."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, str(BUILDER), "debian-portable", "-o", str(folder)], check=True)
    return folder / "debian-portable.qcow2"


@pytest.fixture(scope="session")
def guest(image: Path, v2vlint_open: Callable[..., Guest]) -> Guest:
    """The guest in it."""
    return v2vlint_open(image)
