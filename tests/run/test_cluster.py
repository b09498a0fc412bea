"""A real Dask scheduler with two real workers, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.run import clusters
from v2vlint.engine.protocol import Judged
from v2vlint.model.codec import decode, encode, parse
from v2vlint.model.errors import UsageError
from v2vlint.run import checking, cluster, library
from v2vlint.run.journal import Journal, report_of_journals

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler without workers."""
    with clusters.scheduler(tmp_path_factory.mktemp("scheduler")) as found:
        yield found


@pytest.fixture
def workers(address: str, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two workers of it."""
    with clusters.workers(address, tmp_path, "one", "two") as running:
        yield running


@pytest.fixture
def guests(tmp_path: Path, image: Path) -> list[Path]:
    made = [tmp_path / f"g{number}.qcow2" for number in range(12)]
    for path in made:
        shutil.copyfile(image, path)
    return made


def test_the_guests_of_a_lost_worker_are_judged_by_the_other(
    address: str, workers: list[subprocess.Popen[bytes]], guests: list[Path], tmp_path: Path
) -> None:
    request = library.request([str(path) for path in (*guests, tmp_path / "gone.qcow2")], {"select": ["fstab-device-name"]})
    here = checking.check(request)
    killed: list[int] = []

    def kill_one(_running: Sequence[str], done: int) -> None:
        if done >= 2 and not killed:
            killed.append(done)
            workers[0].send_signal(signal.SIGKILL)

    with Journal(tmp_path / "j", request.settings, resume=False) as journal:
        there = checking.check(dataclasses.replace(request, scheduler=address, progress=kill_one), journal)
    assert killed
    assert [(image.name, image.roots, image.problems) for image in there.images] == [
        (image.name, image.roots, image.problems) for image in here.images
    ]
    assert len(report_of_journals([tmp_path / "j"]).images) == 13


def test_a_guest_that_takes_two_workers_with_it_is_given_up(
    address: str, workers: list[subprocess.Popen[bytes]], guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that a task kills, by a stand-in of the function that judges: one is left for the others' guests."""
    monkeypatch.setattr(cluster, "judge", _deadly(str(guests[0])))
    request = library.request([str(path) for path in guests[:3]], {"select": ["fstab-device-name"]})
    with clusters.worker(address, tmp_path, "three"):
        clusters.joined(address, 3)
        report = checking.check(dataclasses.replace(request, scheduler=address))
    assert [[problem.reason for problem in image.problems] for image in report.images] == [["2 workers were lost over it"], [], []]


def test_guests_that_no_worker_is_left_for_are_not_judged(
    address: str, workers: list[subprocess.Popen[bytes]], guests: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 4)
    monkeypatch.setattr(cluster, "TIMEOUT", 2)
    assert _unjudged(guests, address, lambda: list(map(subprocess.Popen.kill, workers))) == {"no worker is left"}


def test_a_scheduler_that_dies_ends_the_run_with_what_there_is(guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT", 5)
    with contextlib.ExitStack() as started, contextlib.ExitStack() as schedulers:
        address = schedulers.enter_context(clusters.scheduler(tmp_path))
        started.enter_context(clusters.workers(address, tmp_path, "one"))
        assert _unjudged(guests, address, schedulers.close) == {"the scheduler is lost"}


def _unjudged(guests: Sequence[Path], address: str, kill: Callable[[], object]) -> set[str]:
    """What is said of the guests that are left when something dies after the first."""

    def progress(_running: Sequence[str], done: int) -> None:
        if done:
            kill()

    request = library.request([str(path) for path in guests], {"select": ["fstab-device-name"]})
    images = checking.check(dataclasses.replace(request, scheduler=address, progress=progress)).images
    assert len(images) == len(guests)
    assert any(not image.problems for image in images)
    return {problem.reason for image in images for problem in image.problems}


def _deadly(name: str) -> Callable[[str, dict[str, Any]], str]:
    def judge(task: str, limits: dict[str, Any]) -> str:
        import os as system

        from v2vlint.run import cluster as real

        if name in task:
            system._exit(9)
        return real.judge(task, limits)

    return judge


def test_a_worker_of_another_version_is_refused(
    address: str, workers: list[subprocess.Popen[bytes]], guests: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "9.9")
    request = library.request([str(guests[0])], {})
    with pytest.raises(UsageError, match=r"has v2vlint 0\.1\.0, or other rules; here is 9\.9"):
        checking.check(dataclasses.replace(request, scheduler=address))


def test_an_address_without_a_scheduler_is_told(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT", 2)
    request = library.request([str(guests[0])], {})
    with pytest.raises(UsageError, match=r"--scheduler tcp://127\.0\.0\.1:9"):
        checking.check(dataclasses.replace(request, scheduler="tcp://127.0.0.1:9"))


def test_keys_are_no_part_of_a_task(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2VLINT_KEY", "hunter2")
    request = library.request([str(guests[0])], {"keys": ["hunter2"]})
    sent: list[str] = []

    class Client:
        def submit(self, _function: object, task: str, _limits: object, **_more: object) -> object:
            sent.append(task)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(cluster._judged(None, Client(), [request.ask(request.guests[0])], request.settings.limits, None))
    assert "hunter2" not in sent[0]
    assert os.environ["V2VLINT_KEY"] == "hunter2"


@pytest.mark.skipif(shutil.which("cryptsetup") is None, reason="cryptsetup is not installed")
def test_a_worker_has_its_own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V2VLINT_KEY", raising=False)
    key, disk = tmp_path / "key", tmp_path / "locked.img"
    key.write_text("sesame")
    with disk.open("wb") as file:
        file.truncate(20 << 20)
    fast = ("--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    subprocess.run(("cryptsetup", "luksFormat", "-q", *fast, str(disk), str(key)), check=True)
    request = library.request([str(disk)], {})
    task, limits = json.dumps(encode(request.ask(request.guests[0]))), dataclasses.asdict(request.settings.limits)

    def told() -> str:
        return " ".join(one.reason for one in decode(Judged, parse(cluster.judge(task, limits).encode())).image.problems)

    assert "key" in told()
    monkeypatch.setenv("V2VLINT_KEY_FILES", f"{tmp_path}/key")
    assert "key" not in told()
