"""What starting costs: the modules that are imported, and processor time as a multiple of a loop's that is measured beside it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from guestbuild.samples import cached

LOOP = "total = 0\nfor number in range(3_000_000): total += number * number"
TELL = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
COMMAND = f"""
import sys
from v2vlint.cli.main import main
try:
    main()
except SystemExit:
    pass
{TELL}
"""
CHILD = f"""
import sys
from v2vlint import isolate, target
from v2vlint.confine import forks
from v2vlint.engine import worker
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.codec import encode
from v2vlint.model.source import GuestRef
worker.preload(False)
answer = worker.check(encode(CheckAsk(GuestRef("guest", "disks", (sys.argv[1],)), (target.load("kvm"),))))
assert answer["image"]["roots"], answer["image"]["problems"]
{TELL}
"""
NEVER = {
    *("asyncio", "email", "http", "unittest", "importlib.metadata", "tarfile", "zipfile", "plistlib"),
    *("rich", "yaml", "requests", "dissect", "junit_xml", "markdown", "pytest", "fsspec", "distributed"),
    *("v2vlint.fixing.session", "v2vlint.proving.run", "v2vlint.report.formats.html", "v2vlint.report.formats.sarif"),
}
"""What no check of an image with Linux needs, neither in the parent nor in its child."""


@pytest.fixture(scope="module")
def image() -> str:
    return str(cached("debian-portable")[0])


def _environment(folder: Path) -> dict[str, str]:
    """That of the tests, without what measures coverage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))}
    return {**kept, "XDG_CACHE_HOME": str(folder)}


def _modules(code: str, *arguments: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=True, env=_environment(folder), cwd=folder
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(("arguments", "most"), [(["--version"], 120), (["--help"], 120), (["check", "--help"], 240)])
def test_help_imports_little(arguments: list[str], most: int, tmp_path: Path) -> None:
    found = _modules(COMMAND, *arguments, folder=tmp_path)
    assert len(found) <= most
    assert not found & NEVER


def test_a_check_imports_what_it_needs(image: str, tmp_path: Path) -> None:
    found = _modules(COMMAND, "check", image, "-q", "--no-config", folder=tmp_path)
    assert len(found) <= 260
    assert not found & {*NEVER, "v2vlint.api", "v2vlint.source.kinds", "v2vlint.disk", "xml", "shutil", "difflib"}


def test_its_child_imports_what_it_needs(image: str, tmp_path: Path) -> None:
    found = _modules(CHILD, image, folder=tmp_path)
    rules = {name for name in found if name.startswith("v2vlint_checks.")}
    assert len(found - rules) <= 590
    assert not found & {*NEVER, "v2vlint.run", "v2vlint.cli", "v2vlint.report", "argparse"}


def _seconds(arguments: list[str], folder: Path) -> float:
    """The processor time of a program and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", *arguments], check=False, capture_output=True, env=_environment(folder), cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_a_check_of_one_guest_takes_little_time(image: str, tmp_path: Path) -> None:
    """The best of several, side by side: a machine that is busy slows both."""
    check = ["-m", "v2vlint", "check", image, "-q", "--no-config", "--no-cache"]
    pairs = [(_seconds(check, tmp_path), _seconds(["-c", LOOP], tmp_path)) for _round in range(4)]
    assert min(one for one, _loop in pairs) < 4.5 * min(loop for _one, loop in pairs)
