"""btrfs-progs' own images: damaged ones end in an answer or a reason, the others show what ``btrfs restore`` brings out of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora.test_corpora import FOLDER, found
from tests.disk.images import need, run
from v2vlint.disk.filesystems.node import Kind, Node, as_it_lies
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile

pytestmark = [pytest.mark.truth, pytest.mark.skipif(not FOLDER.is_dir(), reason="$V2VLINT_CORPORA names no folder")]

MOST, MOST_BYTES = 3000, 16 << 20
_ENDINGS = (".raw.xz", ".img.xz", ".img", ".raw")

DIFFER: dict[str, str] = {
    "tests/fsck-tests/039-bad-inode-mode/bad_imodes_in_subvolume_tree.img.xz": "a mode of no kind, for restore a file"
}
"""Where ``btrfs restore`` shows something else, and why."""


def images() -> list[Path]:
    """All images, packed or as dumps of metadata."""
    return [path for path in sorted(found("btrfs-progs*")[0].glob("tests/**/*")) if path.name.endswith(_ENDINGS) and path.is_file()]


def unpack(path: Path, folder: Path) -> Path:
    """The image as a file of its size; dumps of metadata are made into one."""
    name = folder / path.name
    shutil.copy(path, name)
    if name.suffix == ".xz":
        run("xz", "-d", "-q", name)
        name = name.with_suffix("")
    if name.suffix == ".img":
        done = subprocess.run(["btrfs-image", "-r", name, folder / "restored"], capture_output=True, check=False)
        return folder / "restored" if done.returncode == 0 else name
    return name


def ours(path: Path) -> dict[str, int] | None:
    """Files with their sizes as they lie, as restore replays no log; both views are read. None: it is refused, or ends in a reason."""
    stream = HostFile(str(path))
    try:
        system = open_filesystem(probe(stream), [stream])
        for _name in files(system.root):
            pass
        return dict(files(as_it_lies(system).root))
    except Exception:
        return None


def files(top: Node) -> Iterator[tuple[str, int]]:
    """All files below a folder."""
    pending = [(top, "")]
    for folder, base in pending:
        for name in folder.names():
            child = folder.child(name)
            kind = child.stat().kind if child else None
            if child is not None and kind is Kind.FILE:
                child.open().read(MOST_BYTES)
                yield f"{base}/{name}", child.stat().size
            elif child is not None and kind is Kind.DIR and len(pending) < MOST:
                pending.append((child, f"{base}/{name}"))


def theirs(path: Path, folder: Path) -> dict[str, int] | None:
    """What ``btrfs restore`` brings out; None when it gives up."""
    folder.mkdir()
    try:
        done = subprocess.run(["btrfs", "restore", "-i", path, folder], capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    return {f"/{one.relative_to(folder)}": one.stat().st_size for one in folder.rglob("*") if one.is_file()}


@pytest.mark.timeout(7200)
def test_images(tmp_path: Path) -> None:
    need("btrfs", "btrfs-image", "xz")
    differ, read, refused = [], 0, 0
    for path in images():
        folder = tmp_path / "one"
        folder.mkdir()
        image = unpack(path, folder)
        mine, other = ours(image), theirs(image, folder / "out")
        read, refused = read + (mine is not None), refused + (mine is None)
        if mine is not None and other is not None and not other.items() <= mine.items():
            differ.append(path.relative_to(FOLDER).as_posix().split("/", 1)[1])
        shutil.rmtree(folder)
    assert sorted(differ) == sorted(DIFFER)
    assert read + refused == 131
