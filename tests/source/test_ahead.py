"""What a machine sends ahead in one archive: the tree is the same with it, whoever asks, and what it lacks is asked for."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2vlint.disk.filesystems.ahead import AheadFileSystem
from v2vlint.disk.filesystems.remote import RemoteFileSystem
from v2vlint.disk.stream import HostFile
from v2vlint.files import FilePolicy
from v2vlint.files.policy import Opened
from v2vlint.files.sftp import SSH
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable, ImageError

NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
SERVER = "/usr/lib/openssh/sftp-server"
TREE = "sftp://nobody@here"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path(SERVER).exists() or shutil.which("setpriv") is None, reason="needs root and sftp-server"
)


class Asking:
    """A policy that notes what is asked for."""

    def __init__(self, policy: FilePolicy) -> None:
        self.policy, self.asked = policy, list[str]()

    def open(self, path: str) -> Opened:
        self.asked.append(path)
        return self.policy.open(path)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """This machine as nobody sees it, by a stand-in of ssh that changes the user in place of the machine."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nfor last do :; done\n[ "$last" = sftp ] && exec {NOBODY} {SERVER}\nexec {NOBODY} /bin/sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv(SSH, str(ssh))
    return Asking(FilePolicy.naming((), trees=[TREE]))


def test_the_tree_is_that_of_the_machine(files: Asking) -> None:
    far = RemoteFileSystem(TREE, files)
    fs = GuestFS({"/": AheadFileSystem(far, far.open("", "+ahead"))})
    for folder in ("/etc", "/usr/lib/systemd/system", "/usr/lib", "/"):
        assert set(fs.listdir(folder)) == set(os.listdir(folder)), folder  # noqa: PTH208
    for path in ("/etc/hostname", "/usr/lib/os-release", "/etc/os-release"):
        assert fs.read(path) == Path(path).read_bytes()
    found = fs.stat("/etc/passwd")
    assert found is not None
    assert (found.mode, found.uid, found.size) == (0o644, 0, Path("/etc/passwd").stat().st_size)
    assert {path.partition("://")[2].partition("/")[2] for path in files.asked} <= {"", "usr/lib/os-release", "etc"}


def test_what_nobody_may_read_is_not_taken_for_absent(files: Asking) -> None:
    assert not stat.S_IMODE(Path("/etc/shadow").stat().st_mode) & 0o007
    far = RemoteFileSystem(TREE, files)
    fs = GuestFS({"/": AheadFileSystem(far, far.open("", "+ahead"))})
    assert "shadow" in set(fs.listdir("/etc"))
    with pytest.raises(FactUnavailable, match="permission denied"):
        fs.read("/etc/shadow")


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of programs that come before others, also for nobody, who sees nothing in pytest's folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield Path(folder)


@pytest.mark.parametrize("program", ["tar", "find"])
def test_a_program_that_is_killed_is_no_archive(files: Asking, stand_ins: Path, program: str) -> None:
    """What is missing in an archive that was cut short must not seem absent."""
    asked = f'case "$*" in *--version*|*-maxdepth*0*) exec {shutil.which(program)} "$@";; esac'
    (stand_ins / program).write_text(f'#!/bin/sh\n{asked}\n{shutil.which(program)} "$@" | head -c 3000\nkill -9 $$\n')
    (stand_ins / program).chmod(0o755)
    far = RemoteFileSystem(TREE, files)
    with pytest.raises(ImageError, match="here"):
        AheadFileSystem(far, far.open("", "+ahead"))


def test_a_connection_that_breaks_is_no_archive(files: Asking, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nprintf 'etc\\0\\0\\0'; exit 255\n")
    far = RemoteFileSystem(TREE, files)
    with pytest.raises(ImageError, match="here"):
        AheadFileSystem(far, far.open("", "+ahead"))


@pytest.mark.parametrize("sent", [b"", b"etc\0", b"etc\0\0\0", b"etc\0\0\0etc\0\0x\0/etc\0a\0>\0\0", b"\0\0\0\0no archive" * 100])
def test_what_is_no_archive_is_told(sent: bytes, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(sent)
    with pytest.raises(ImageError):
        AheadFileSystem(
            RemoteFileSystem(TREE, FilePolicy.naming(())),
            HostFile(str(tmp_path / "sent"), files=FilePolicy.naming([str(tmp_path / "sent")])),
        )
