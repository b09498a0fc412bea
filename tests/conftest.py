"""What every test can rely on, however the suite was started."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile

import pytest

# Answers of earlier runs are for those who wait, and must not decide a test.
_CACHE = tempfile.mkdtemp(prefix="v2vlint-cache-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = _CACHE

# A script that starts the suite in the background ignores SIGINT for it, and a program that is started from there would ignore it too:
# tests of an interrupt need what a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first: what comes last is short, so that no process waits long for the end of another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
