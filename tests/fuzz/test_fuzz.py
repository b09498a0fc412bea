"""A bounded run of the fuzzer: the same damage every time, so that a failure can be made again by its number. `make fuzz` runs longer."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.fuzz.__main__ import one
from tests.fuzz.lanes import Tally, disagreements, judge_texts
from tests.fuzz.seeds import Seed, seeds
from v2vlint.engine.packs import load_all

pytestmark = [pytest.mark.slow, pytest.mark.sweep]
needs_qemu = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    path = Path(subprocess.check_output(["mktemp", "-d", "-p", str(memory if memory.is_dir() else Path("/tmp"))], text=True).strip())
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def known(folder: Path) -> tuple[Seed, ...]:
    """Few of Windows: judging one takes as long as three of Linux."""
    windows = ("windows-11", "windows-xp")
    return tuple(seed for seed in seeds(folder, containers=1) if not seed.name.startswith("windows") or seed.name.startswith(windows))


# All in one process: making ``known`` takes as long as a hundred images.
@needs_qemu
@pytest.mark.xdist_group("fuzz")
@pytest.mark.parametrize("first", range(0, 500, 100))
def test_damaged_images_end_with_0_1_or_3(folder: Path, known: Sequence[Seed], first: int) -> None:
    tally = Tally()
    for number in range(first, first + 100):
        one(number, known, folder, tally)
    assert tally.wrong == []
    assert sum(tally.exits.values()) == 100
    assert set(tally.exits) <= {"exit 0", "exit 1", "exit 3", "limit"}


def test_damaged_texts_crash_no_rule() -> None:
    rules = load_all()
    examples = [example for loaded in rules for example in loaded.rule.examples]
    for number in range(200):
        rng = random.Random(number)
        assert judge_texts(rng.choice(examples), rng, rules) == "", number


@needs_qemu
def test_damaged_containers_are_read_as_qemu_reads_them_or_not_at_all(folder: Path) -> None:
    found_something = (100626, 100946, 101192, 101202, 300077)
    wrong = list(disagreements(folder, (*range(300), *found_something)))
    assert wrong == []
