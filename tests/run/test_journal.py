"""A run that ends in any way leaves a journal that can be read, and the next one goes on from there."""

from __future__ import annotations

import dataclasses
import errno
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests import programs
from tests.source.servers import web
from v2vlint.engine.check import check_each
from v2vlint.engine.protocol import CheckAsk, Judged
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.report import Report
from v2vlint.model.source import NotJudged
from v2vlint.report.walk import hits
from v2vlint.run import cache, checking, identity, library
from v2vlint.run.cache import Cache
from v2vlint.run.identity import FileStamp
from v2vlint.run.journal import PATTERN, Journal, SeenRecord, read, report_of_journals
from v2vlint.run.library import Wishes
from v2vlint.run.request import Request

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/schema/journal-1.json").read_text())
ONLY: Wishes = {"select": ["fstab-device-name"]}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def guests(tmp_path: Path, image: Path) -> list[Path]:
    """Four guests, of which the second cannot be read."""
    made = [tmp_path / f"{name}.qcow2" for name in "abcd"]
    for path in (made[0], *made[2:]):
        path.write_bytes(image.read_bytes())
    time.sleep(0.02)
    return made


def asked(guests: Sequence[Path], **more: object) -> Request:
    request = library.request([str(one) for one in guests], ONLY)
    return dataclasses.replace(request, **more)  # type: ignore[arg-type]


def run(request: Request, folder: Path, *, resume: bool = False) -> Report:
    with Journal(folder, request.settings, resume=resume) as journal:
        return checking.check(request, journal)


def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the guests that children were started for, from now on."""
    names: list[str] = []
    each = check_each

    def noting(asks: Sequence[CheckAsk], *rest: Any) -> Iterator[tuple[int, Judged]]:
        for at, answer in each(asks, *rest):
            names.append(Path(asks[at].guest.name).name)
            yield at, answer

    monkeypatch.setattr(checking, "check_each", noting)
    return names


def same(one: Report, other: Report) -> bool:
    return [(hit.image.name, hit.rule, hit.key) for hit in hits(one)] == [(hit.image.name, hit.rule, hit.key) for hit in hits(other)]


def test_a_journal_has_a_record_for_each_guest_and_makes_the_same_report(guests: list[Path], tmp_path: Path) -> None:
    report = run(asked(guests), tmp_path / "j")
    (file,) = (tmp_path / "j").glob(PATTERN)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        jsonschema.validate(record, SCHEMA)
    assert sorted(record["record"] for record in records) == ["guest", "guest", "guest", "guest", "rules", "run", "seen"]
    again = report_of_journals([tmp_path / "j"])
    assert same(report, again)
    assert [image.problems for image in again.images] == [image.problems for image in report.images]
    assert (again.rules, again.targets, again.fail_on) == (report.rules, report.targets, report.fail_on)


def test_resuming_judges_what_is_missing_or_changed_or_could_not_be_opened(
    guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(asked(guests[:3]), tmp_path / "j")
    with pytest.raises(UsageError, match="there is a journal already"):
        run(asked(guests), tmp_path / "j")
    names = judged(monkeypatch)
    run(asked(guests), tmp_path / "j", resume=True)
    assert names == ["b.qcow2", "d.qcow2"]
    names.clear()
    os.utime(guests[0])
    time.sleep(0.02)
    second = run(asked(guests), tmp_path / "j", resume=True)
    assert names == ["a.qcow2", "b.qcow2"]
    assert len(second.images) == 4
    assert same(dataclasses.replace(second, images=second.images[:3]), first)


@pytest.mark.parametrize("cut", [1, 100])
def test_a_torn_last_line_is_dropped_and_its_guest_judged_again(
    guests: list[Path], tmp_path: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(asked(guests), tmp_path / "j")
    (file,) = (tmp_path / "j").glob(PATTERN)
    file.write_bytes(file.read_bytes()[:-cut])
    assert len(report_of_journals([tmp_path / "j"]).images) == 3
    names = judged(monkeypatch)
    run(asked(guests), tmp_path / "j", resume=True)
    assert names == ["b.qcow2", "d.qcow2"]


def test_a_damaged_record_is_told_and_costs_one_guest(guests: list[Path], tmp_path: Path) -> None:
    run(asked(guests), tmp_path / "j")
    (file,) = (tmp_path / "j").glob(PATTERN)
    lines = file.read_bytes().split(b"\n")
    at = next(number for number, line in enumerate(lines) if b'"record": "guest"' in line)
    lines[at] = lines[at][:50] + b"\0" + lines[at][51:]
    file.write_bytes(b"\n".join(lines))
    report = report_of_journals([tmp_path / "j"])
    assert len(report.images) == 3
    assert [one.reason for one in report.not_judged] == ["a damaged record of the journal"]


def test_other_settings_make_other_answers(guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(asked(guests[:1]), tmp_path / "j")
    names = judged(monkeypatch)
    request = library.request([str(guests[0])], {"target": "azure", **ONLY})
    run(request, tmp_path / "j", resume=True)
    assert names == ["a.qcow2"]


def test_journals_are_merged_and_a_guest_that_is_in_two_counts_once(guests: list[Path], tmp_path: Path) -> None:
    run(asked(guests[:1]), tmp_path / "one")
    run(asked([guests[0], guests[2]]), tmp_path / "two")
    assert [Path(image.name).name for image in report_of_journals([tmp_path / "one", tmp_path / "two"]).images] == ["a.qcow2", "c.qcow2"]
    with pytest.raises(NothingFound):
        read(tmp_path)


def test_what_several_runs_left_out_is_listed_once(guests: list[Path], tmp_path: Path) -> None:
    left = NotJudged("estate/readme.txt", "not an image")
    for name in ("one", "two"):
        run(dataclasses.replace(asked(guests[:1]), not_judged=(left,)), tmp_path / name)
    assert report_of_journals([tmp_path / "one", tmp_path / "two"]).not_judged == (left,)


def test_two_runs_do_not_write_into_one_journal(guests: list[Path], tmp_path: Path) -> None:
    request = asked(guests)
    with Journal(tmp_path / "j", request.settings, resume=False), pytest.raises(UsageError, match="another run is writing"):
        Journal(tmp_path / "j", request.settings, resume=True)


def test_a_journal_that_cannot_be_written_says_how_to_go_on(guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings = asked(guests).settings
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="no space left"):
            Journal(tmp_path / "j", settings, resume=False)
    # Its lock is free again.
    with Journal(tmp_path / "j", settings, resume=True) as journal, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="no space left") as told:
            journal.write(SeenRecord(()))
    assert "--resume" in told.value.hint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on(guests: list[Path], tmp_path: Path, number: signal.Signals) -> None:
    """Ended after its first guest; a rule that takes long stands for large guests."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/slow.py").write_text(_SLOW)
    (tmp_path / "v2vlint.toml").write_text('rules = ["rules"]\n')
    arguments = [sys.executable, "-m", "v2vlint", "a.qcow2", "c.qcow2", "d.qcow2", "--journal", "j", "--format", "json"]
    arguments += ["--config", "v2vlint.toml"]
    with programs.running(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not any('"record": "guest"' in file.read_text() for file in (tmp_path / "j").glob(PATTERN)):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(number)
        out, complaint = running.communicate(timeout=90)
    assert [image.name for image in report_of_journals([tmp_path / "j"]).images] == ["a.qcow2"]
    if number is not signal.SIGKILL:
        assert running.returncode == 130, complaint
        assert [image["name"] for image in json.loads(out)["images"]] == ["a.qcow2"]
        assert {one["path"]: one["reason"] for one in json.loads(out)["not_judged"]} == dict.fromkeys(
            ("c.qcow2", "d.qcow2"), "not reached: the run was interrupted"
        )
        assert "interrupted after 1 of 3 guests" in complaint
        assert "--resume" in complaint


_SLOW = '''
import time
from v2vlint.api import OsInfo, Rule, Severity

class Slow(Rule):
    """Takes its time.

    ## What it does
    Waits.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = ()

    def check(self, os: OsInfo):
        time.sleep(4)
        return iter(())
'''


def test_a_guest_that_is_as_it_was_is_not_judged_again(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    names = judged(monkeypatch)
    first = checking.check(asked(guests, cached=True))
    assert names == ["a.qcow2", "b.qcow2", "c.qcow2", "d.qcow2"]
    names.clear()
    assert same(checking.check(asked(guests, cached=True)), first)
    assert names == ["b.qcow2"]
    names.clear()
    checking.check(asked(guests))
    assert len(names) == 4


@pytest.mark.parametrize("change", ["content", "same size and time", "other file", "renamed over", "through a map"])
def test_a_guest_that_changed_is(guests: list[Path], monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    checking.check(asked(guests[:1], cached=True))
    before = guests[0].stat()
    time.sleep(0.02)
    if change == "renamed over":
        shutil.copy2(guests[0], guests[0].with_suffix(".new"))
        with guests[0].with_suffix(".new").open("r+b") as stream:
            stream.seek(-1, 2)
            stream.write(b"\1")
        guests[0].with_suffix(".new").replace(guests[0])
    elif change == "through a map":
        with guests[0].open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as view:
            view[-1] = 1
    elif change == "other file":
        data = guests[0].read_bytes()
        guests[0].unlink()
        guests[0].write_bytes(data)
    else:
        with guests[0].open("r+b") as stream:
            stream.seek(-1, 2)
            stream.write(b"\1")
    if change != "content":
        os.utime(guests[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    names = judged(monkeypatch)
    checking.check(asked(guests[:1], cached=True))
    assert names == ["a.qcow2"]


def test_an_entry_of_the_cache_that_is_no_answer_is_a_miss(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    checking.check(asked(guests[:1], cached=True))
    entry = max(Cache().folder.glob("*.json"), key=lambda path: b'"$": "Kept"' in path.read_bytes())
    assert entry.stat().st_mode & 0o777 == 0o600
    names = judged(monkeypatch)
    for data in (b"", b"{", b"[" * 100_000, entry.read_bytes()[:-200]):
        entry.write_bytes(data)
        checking.check(asked(guests[:1], cached=True))
    entry.unlink()
    entry.symlink_to(guests[2])
    checking.check(asked(guests[:1], cached=True))
    assert len(names) == 5


def test_a_cache_that_others_may_write_is_not_used(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    checking.check(asked(guests[:1], cached=True))
    Cache().folder.chmod(0o777)
    names = judged(monkeypatch)
    checking.check(asked(guests[:1], cached=True))
    assert names == ["a.qcow2"]


def test_a_cache_that_is_too_full_loses_its_own_entries_only(guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 1)
    checking.check(asked(guests[:1], cached=True))
    kept = Cache().folder
    (kept / "notes").touch()
    Cache()
    assert [path.name for path in kept.iterdir()] == ["notes"]
    # Where others may write, it may be a link to a folder of the user's.
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("0" * 64 + ".json", "1" * 64 + ".json", "letter"):
        (mine / name).touch()
    shutil.rmtree(kept)
    kept.symlink_to(mine)
    assert not Cache().usable
    assert len(list(mine.iterdir())) == 3


def test_of_a_file_on_a_server_its_tag_counts(guests: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web(tmp_path) as server:
        request = library.request([f"{server.url}/a.qcow2", f"{server.url}/gone.qcow2"], ONLY)
        request = dataclasses.replace(request, cached=True)
        names = judged(monkeypatch)
        for tag, wanted in (('"1"', 1), ('"1"', 0), ('"2"', 1), ('W/"2"', 1), ('W/"2"', 1)):
            server.etag = tag
            names.clear()
            checking.check(request)
            assert names.count("a.qcow2") == wanted
        for tag, more in (('"3"', {}), ('"3"', {"resume": True}), ('"4"', {"resume": True}), ('W/"4"', {"resume": True})):
            server.etag = tag
            names.clear()
            run(dataclasses.replace(request, cached=False), tmp_path / "j", **more)
            assert ("a.qcow2" in names) == (tag != '"3"' or not more)
            assert "gone.qcow2" in names


def test_where_times_do_not_tell_nothing_is_kept(guests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_filesystems", lambda: {"/": "fuse.sshfs"})
    names = judged(monkeypatch)
    for _time in range(2):
        checking.check(asked(guests[:1], cached=True))
    assert names == ["a.qcow2"] * 2


def test_a_filesystem_with_coarse_times_keeps_what_has_settled(guests: list[Path]) -> None:
    now = time.time_ns() // 1_000_000_000 * 1_000_000_000
    for mtime, settled in ((now - 1_000_000_000, False), (now - 4_000_000_000, True), (now - 1_000_000_001, True)):
        assert (identity._settled(FileStamp("x", 1, mtime=mtime), now).size == 1) is settled


def test_the_type_of_a_filesystem_is_that_of_the_last_mount(tmp_path: Path) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout.strip()
    assert identity.filesystem_of(str(tmp_path))[:3] == {"ext2/ext3": "ext", "overlayfs": "ove"}.get(kind, kind[:3])
    assert identity.filesystem_of("/proc/self/mountinfo") == "proc"
