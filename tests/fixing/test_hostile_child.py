"""Answers of a reader process, a worker and QEMU's tools that were taken over are refused: none ends as a bug, fills memory or hangs."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixing.listening import served
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import appliance, qemu, session, shadow
from v2vlint.fixing.direct import fat
from v2vlint.fixing.direct import write as direct
from v2vlint.fixing.direct.nbd import Client
from v2vlint.fixing.direct.terms import BYTES, FatAction, FatVolume, WrittenRun
from v2vlint.fixing.orders import WorkerRequest
from v2vlint.fixing.protocol import Chosen, FixAsk, PreparedFix
from v2vlint.fixing.work import Work
from v2vlint.isolate import DEFAULT_LIMITS
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.report import ImageReport
from v2vlint.model.source import GuestRef, HostFileInfo, ImageNode, Keys

WORK = Work({"roots": [], "unlock": []}, {}, GuestRef("guest", "disks", ()), Keys(), DEFAULT_LIMITS)
REQUEST: WorkerRequest = {"roots": [], "unlock": [], "drives": []}
WRONG = "the reader process gave no valid answer"


def test_new_bytes_are_read_where_they_were_left(tmp_path: Path) -> None:
    (tmp_path / BYTES).write_bytes(b"0123456789")
    runs = (WrittenRun(0, 512, 4, 0), WrittenRun(1, 0, 6, 4))
    assert direct._held(WORK, tmp_path, runs) == list(zip(runs, (b"0123", b"456789"), strict=True))


RUNS = [
    (WrittenRun(0, 0, 1 << 40, 0),), (WrittenRun(0, 0, 1, 1 << 80),), (WrittenRun(0, 0, 1 << 80, 0),), (WrittenRun(0, 0, 2, -1),),
    (WrittenRun(0, 0, -1, 5),), (WrittenRun(0, 0, 6, 5),), (WrittenRun(0, 0, 10, 0),) * 2,
]  # fmt: skip


@pytest.mark.parametrize("runs", RUNS, ids=range(len(RUNS)))
def test_runs_that_are_not_in_the_file(tmp_path: Path, runs: tuple[WrittenRun, ...]) -> None:
    (tmp_path / BYTES).write_bytes(b"0123456789")
    with pytest.raises(ImageError, match=WRONG):
        direct._held(WORK, tmp_path, runs)


def huge(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(1 << 42)


FILES: dict[str, Callable[[Path], None]] = {
    "absent": lambda _place: None, "a folder": Path.mkdir, "a link": lambda place: place.symlink_to("/etc/passwd"), "huge": huge,
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_something_else_in_place_of_the_file(tmp_path: Path, kind: str) -> None:
    FILES[kind](tmp_path / BYTES)
    with pytest.raises(ImageError, match=WRONG):
        direct._held(WORK, tmp_path, (WrittenRun(0, 0, 1, 0),))
    FILES[kind](tmp_path / "fat0")
    with pytest.raises(ImageError, match=WRONG):
        list(fat.carry_out(tmp_path, FatVolume("fat0", (), ())))


@pytest.mark.parametrize("mtime", [float("nan"), float("inf"), -1.0, 1e300])
def test_times_that_no_file_has(tmp_path: Path, mtime: float) -> None:
    (tmp_path / "fat0").write_bytes(bytes(1 << 20))
    (tmp_path / "fat0.new0").write_bytes(b"new")
    with pytest.raises(ImageError, match=WRONG):
        list(fat.carry_out(tmp_path, FatVolume("fat0", (FatAction("put", "/x", "fat0.new0", "", mtime),), ())))


def test_no_end_of_actions(tmp_path: Path) -> None:
    (tmp_path / "fat0").write_bytes(bytes(1 << 20))
    for volume in (
        FatVolume("fat0", (FatAction("folder", "/x"),) * (fat.MAX_ACTIONS + 1), ()),
        FatVolume("fat0", (), (WrittenRun(0, 0, 1, 0),) * (fat.MAX_PLACES + 1)),
    ):
        with pytest.raises(ImageError, match=WRONG):
            list(fat.carry_out(tmp_path, volume))


def test_a_server_that_ends_is_named(tmp_path: Path) -> None:
    def serve(server: socket.socket) -> None:
        server.listen()
        with server.accept()[0] as one:
            one.sendall((0x4E42444D41474943).to_bytes(8) + (0x49484156454F5054).to_bytes(8) + bytes(2))
            one.recv(20)
            one.sendall((1 << 20).to_bytes(8) + bytes(2))

    with served(tmp_path / "socket", serve):
        client = Client(tmp_path / "socket")
    with pytest.raises(ImageError, match="qemu-nbd"), client:
        client.write(0, bytes(8 << 20))


def worker(folder: Path, script: str) -> str:
    """An interpreter that does something else."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_worker_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appliance, "TIMEOUT", 0.2)
    with pytest.raises(ImageError, match="libguestfs did not end"):
        appliance._ask(worker(tmp_path, "exec sleep 60"), REQUEST, kvm=False)


@pytest.mark.parametrize("answer", ["", "[]", "null", "{}", '{"ok": true}', "[[[["])
def test_a_worker_without_an_answer(tmp_path: Path, answer: str) -> None:
    found = appliance._ask(worker(tmp_path, f"cat >/dev/null; echo '{answer}'; echo why >&2"), REQUEST, kvm=False)
    assert (found["ok"], found["error"]) == (False, "why")


@pytest.mark.parametrize("answer", [[], {}, {"virtual-size": "1"}, {"virtual-size": -1}, {"virtual-size": None}])
def test_a_size_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(512))
    monkeypatch.setattr(qemu, "told", lambda *_words, **_options: answer)
    with pytest.raises(ImageError, match="no valid answer"):
        qemu.virtual_size(ImageNode(str(image), "raw"))


def test_fewer_disks_than_the_guest_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = tuple(tmp_path / f"{number}.raw" for number in range(2))
    for image in images:
        image.write_bytes(bytes(1 << 20))
    guest = GuestRef("guest", "disks", tuple(map(str, images)))
    report = ImageReport("guest", guest.paths, "raw", 0, (), ())
    prepared = PreparedFix(report, (), (Chosen("rule", "title", "root", ()),), (), "", '{"roots": [], "unlock": []}', ("raw",))
    monkeypatch.setattr(session, "preview", lambda _asked, _limits: prepared)
    with pytest.raises(ImageError, match="not all of its disks could be read"):
        session.fix_in_place(FixAsk(CheckAsk(guest, (target.load("kvm"),))))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.raw", "1.raw"]


def test_a_copy_of_files_of_which_one_is_gone(tmp_path: Path) -> None:
    """It has the permissions that the others have in common."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"")
    copy.write_bytes(b"")
    source.chmod(0o640)
    info = HostFileInfo(str(source), 0)
    session._like((info, replace(info, path="/gone")), copy)
    assert stat.S_IMODE(copy.stat().st_mode) & 0o037 == 0


@pytest.mark.parametrize("answer", [{}, None, [None], [{"start": 0, "length": -1}], [{"start": 0, "length": 512, "data": True}]])
def test_a_map_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    monkeypatch.setattr(shadow, "_told", lambda _command, _path: answer)
    with pytest.raises(ImageError, match="no valid answer"):
        list(shadow._written(tmp_path, 512))


def test_two_copies_to_one_name(tmp_path: Path) -> None:
    """The second run must not truncate what the first one writes; what a killed run left is overwritten."""
    output = tmp_path / "new.qcow2"
    left = tmp_path / ".new.qcow2.partial"
    left.write_bytes(b"left by a killed run")
    with session._unfinished(output) as partial:
        assert partial == left
        partial.write_bytes(b"first")
        with pytest.raises(UsageError, match="another v2vlint is writing to it"), session._unfinished(output):
            pass
        assert partial.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == []


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial, output = tmp_path / ".new.vmdk.partial", tmp_path / "new.vmdk"
    partial.write_bytes(b"no image")

    def full(_source: Path, target: Path, _driver: str) -> None:
        target.write_bytes(b"half")
        raise ImageError("qemu-img convert: No space left on device")

    monkeypatch.setattr(qemu, "convert", full)
    with pytest.raises(ImageError, match="No space"):
        session._publish(partial, output, "vmdk")
    assert list(tmp_path.iterdir()) == [partial]
    output.write_bytes(b"another's")
    with pytest.raises(UsageError, match="exists by now"):
        session._publish(partial, output, "qcow2")
    assert output.read_bytes() == b"another's"


def test_files_of_another_run_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "disk1.qcow2").write_bytes(b"another's")
    with pytest.raises(UsageError, match="exists by now"):
        session._new(tmp_path / "disk1.qcow2")
    assert (tmp_path / "disk1.qcow2").read_bytes() == b"another's"
