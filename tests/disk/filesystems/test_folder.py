"""A folder of the host read like stat(2) and read(2) say, without following links or waiting for pipes."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.disk.filesystems.nodes import child
from tests.disk.images import Tree, make_tree, read_tree, same
from v2vlint.disk.filesystems import folder
from v2vlint.disk.filesystems.folder import FolderFileSystem
from v2vlint.disk.filesystems.node import Kind
from v2vlint.model.errors import ImageError


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """TimeoutError for what waits longer."""

    def late(*_arguments: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_folder_is_its_tree(tree: Path, wanted: Tree) -> None:
    system = FolderFileSystem(str(tree), "ext4", "uuid", "label")
    same(read_tree(system), wanted)
    assert (system.type, system.uuid, system.label, system.stale) == ("ext4", "uuid", "label", "")
    found, real = child(system.root, "etc", "fstab").stat(), (tree / "etc/fstab").stat()
    assert (found.size, found.mtime, found.mode) == (real.st_size, real.st_mtime, real.st_mode & 0o7777)
    assert system.root.stat().kind is Kind.DIR
    assert system.root.child("missing") is None
    assert child(system.root, "etc", "fstab").child("below") is None


def test_the_top_may_be_a_link_and_must_be_a_folder(tmp_path: Path) -> None:
    make_tree(tmp_path / "root", odd=False)
    (tmp_path / "link").symlink_to("root")
    assert "etc" in set(FolderFileSystem(str(tmp_path / "link")).root.names())
    for name, words in (("nowhere", "no such file or directory"), ("root/etc/fstab", "not a directory")):
        with pytest.raises(ImageError, match=f"{name}: {words}"):
            FolderFileSystem(str(tmp_path / name))


def test_links_lead_nowhere(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "root", odd=False)
    (tmp_path / "secret").write_text("outside")
    (top / "file").write_text("inside")
    node = child(FolderFileSystem(str(top)).root, "file")
    (top / "file").unlink()
    (top / "file").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        node.open()
    (top / "outside").symlink_to(tmp_path)
    system = FolderFileSystem(str(top))
    assert child(system.root, "outside").child("secret") is None
    with pytest.raises(OSError, match=os.strerror(errno.ENOTDIR)):
        system.folder(("outside",))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    node = child(FolderFileSystem(str(tmp_path)).root, "pipe")
    assert node.stat().kind is Kind.OTHER
    with at_most(10), pytest.raises(ImageError, match="not a regular file"):
        node.open()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize(
    ("top", "owner", "wanted"),
    [((0, 0), (1000, 7), (1000, 7)), ((100000, 200000), (100000, 200000), (0, 0)), ((100000, 200000), (101000, 200007), (1000, 7)),
     ((100000, 200000), (100001, 5), (1, 0)), ((100000, 200000), (0, 3), (0, 3)), ((1000, 1000), (65534, 65534), (65534, 65534)),
     ((1000, 1000), (65535, 65535), (64535, 64535))],
)  # fmt: skip
def test_owners_count_from_the_owner_of_the_top(
    tmp_path: Path, top: tuple[int, int], owner: tuple[int, int], wanted: tuple[int, int]
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("")
    os.chown(tmp_path / "root", *top)
    os.chown(tmp_path / "root/file", *owner)
    found = child(FolderFileSystem(str(tmp_path / "root")).root, "file").stat()
    assert (found.uid, found.gid) == wanted


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_few_folders_are_held_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_FOLDERS", 4)
    for number in range(9):
        (tmp_path / f"d{number}/deep/er").mkdir(parents=True)
        (tmp_path / f"d{number}/deep/er/file").write_text(str(number))
    system, before = FolderFileSystem(str(tmp_path)), handles()
    for number in (*range(9), 0, 8):
        assert child(system.root, f"d{number}", "deep", "er", "file").open().read() == b"%d" % number
        assert handles() - before <= 4
    system.folder(("d1",))
    held = system.folder(("d0",))
    for number in range(2, 5):
        system.folder((f"d{number}",))
    assert system.folder(("d0",)) == held
    assert len(system._folders) == 4


def test_files_of_the_kernel_have_content_whatever_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert child(FolderFileSystem("/proc/self").root, "status").open().read().startswith(b"Name:")
    (tmp_path / "empty").write_text("")
    assert child(FolderFileSystem(str(tmp_path)).root, "empty").open().read() == b""
    monkeypatch.setattr(folder, "MAX_KERNEL_FILE", 4)
    (tmp_path / "large").write_bytes(b"x" * 200_000)
    file = folder._File(os.open(tmp_path / "large", os.O_RDONLY))
    assert len(file.rest()) == 1 << 16
    assert file.read_at(199_990, 100) == b"x" * 10
