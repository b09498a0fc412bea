"""One QEMU and its channels: it ends in any case, and nothing it writes is trusted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from v2vlint import programs
from v2vlint.proving.machine import QemuMachine, written
from v2vlint.proving.qmp import Qmp
from v2vlint.proving.screen import MAX_PICTURE, MAX_PIXELS

IDLE = ("-machine", "pc,accel=tcg", "-nodefaults", "-display", "none", "-S", "-m", "16", "-netdev", "user,id=net0,restrict=on")
needs_qemu = pytest.mark.skipif(not programs.find("qemu-system-x86_64"), reason="QEMU is not installed")


def qemu(folder: Path) -> QemuMachine:
    return QemuMachine(IDLE, 16, folder)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process groups that are killed."""
    groups: list[int] = []

    def kill(group: int, number: int) -> None:
        groups.append(group)
        os.kill(group, number)

    monkeypatch.setattr("v2vlint.confine.supervise.os.killpg", kill)
    return groups


@needs_qemu
def test_only_a_qemu_that_is_not_reaped_is_killed(tmp_path: Path, killed: list[int]) -> None:
    """Afterwards, its process id may be another's."""
    with qemu(tmp_path) as quits:
        assert quits.alive
    assert (quits.process.returncode, killed) == (0, [])
    with qemu(tmp_path) as crashed:
        crashed.process.kill()
        crashed.process.wait()
        assert not crashed.alive
    assert killed == []
    with pytest.raises(KeyError), qemu(tmp_path) as other:
        raise KeyError
    assert (other.process.returncode, killed) == (-signal.SIGKILL, [other.process.pid])


@needs_qemu
def test_an_interrupt_during_its_start_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Qmp, "execute", interrupted)
    started = qemu(tmp_path)
    with pytest.raises(KeyboardInterrupt), started:
        pass
    assert started.process.returncode == -signal.SIGKILL


def test_what_qemu_leaves_in_its_folder_is_not_trusted(tmp_path: Path) -> None:
    file, secret = tmp_path / "packets.pcap", tmp_path / "secret"
    secret.write_bytes(b"host")
    file.write_bytes(b"0123456789")
    assert (written(file, 4), written(file, 100, 6), written(file, 9, 20), written(tmp_path / "absent", 9)) == (b"0123", b"6789", b"", b"")
    file.unlink()
    file.symlink_to(secret)
    assert written(file, 100) == b""
    file.unlink()
    os.mkfifo(file)
    assert written(file, 100) == b""
    file.unlink()
    file.mkdir()
    assert written(file, 100) == b""


def test_a_picture_of_any_allowed_size_is_read_whole() -> None:
    assert len(b"P6\n99999 99999\n255\n") + 3 * MAX_PIXELS <= MAX_PICTURE
