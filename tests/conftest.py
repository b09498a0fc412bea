"""What every test can rely on, however the suite was started."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from coverage import Coverage

# Answers of earlier runs are for those who wait, and must not decide a test.
_CACHE = tempfile.mkdtemp(prefix="v2vlint-cache-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = _CACHE

# A script that starts the suite in the background ignores SIGINT for it, and a program that is started from there would ignore it too:
# tests of an interrupt need what a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes says something about the machine only.
settings.register_profile("v2vlint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("v2vlint")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first: what comes last is short, so that no process waits long for the end of another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _measured() -> Coverage | None:
    """What measures coverage in this process, if anything does."""
    return sys.modules["coverage"].Coverage.current() if "coverage" in sys.modules else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Sweeps run without coverage, which would make them take 2.7 times as long, also in the processes that they fork."""
    measured = _measured() if item.get_closest_marker("sweep") else None
    if measured is None:
        return (yield)
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()


def pytest_sessionfinish() -> None:
    """Save here: xdist waits for a worker to say that it has finished, but kills it when it then takes ten seconds to exit."""
    if (measured := _measured()) is not None and "PYTEST_XDIST_WORKER" in os.environ:
        measured.save()
