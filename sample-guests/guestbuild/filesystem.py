"""Filesystems made from a directory tree, without mounting anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from guestbuild import ntfs
from guestbuild.tools import BuildError, blank, run

_MIB = 1 << 20
_MIN_XFS = 320 << 20
_MIN_BTRFS = 128 << 20


def make(
    kind: str, path: Path, size: int, tree: Path | None = None, *, uuid: str = "", label: str = "", geometry: ntfs.Geometry | None = None
) -> Path:
    """Make a filesystem of ``kind`` (ext2…ext4, xfs, btrfs, vfat, ntfs, swap) in the new file ``path``, holding what is in ``tree``.

    The file may end up larger than ``size``: mkfs.btrfs takes what it needs, XFS has a smallest size. It is always whole MiB.
    """
    if kind == "ntfs":
        ntfs.make(blank(path, size), tree, uuid, label, geometry or ntfs.Geometry())
        return path
    makers = {"xfs": _xfs, "btrfs": _btrfs, "vfat": _vfat, "swap": _swap}
    maker = _ext if kind.startswith("ext") else makers.get(kind)
    if maker is None:
        raise BuildError(f"unknown filesystem {kind!r}")
    blank(path, max(size, {"xfs": _MIN_XFS, "btrfs": _MIN_BTRFS}.get(kind, 0)))
    maker(kind, path, tree, uuid, label)
    os.truncate(path, -(-path.stat().st_size // _MIB) * _MIB)
    return path


def tree_size(tree: Path) -> int:
    """Bytes that the files of ``tree`` take in 4 KiB blocks, one block per inode included."""
    total = 0
    for folder, folders, files in os.walk(tree):
        for name in files + folders:
            found = (Path(folder) / name).lstat()
            total += 4096 + (-(-found.st_size // 4096) * 4096 if stat.S_ISREG(found.st_mode) else 0)
    return total


def _ext(kind: str, path: Path, tree: Path | None, uuid: str, label: str) -> None:
    options = ["-d", str(tree)] if tree else []
    options += ["-U", uuid] if uuid else []
    run("mke2fs", "-q", "-F", "-t", kind, "-m", "1", "-L", label, *options, path)


def _xfs(_kind: str, path: Path, tree: Path | None, uuid: str, label: str) -> None:
    options = ["-L", label] if label else []
    options += ["-m", f"uuid={uuid}"] if uuid else []
    if tree is None:
        run("mkfs.xfs", "-q", "-f", *options, path)
        return
    prototype = path.with_suffix(".proto")
    prototype.write_text("\n".join(_prototype(tree)) + "\n", encoding="utf-8", errors="surrogateescape")
    run("mkfs.xfs", "-q", "-f", "-p", prototype, *options, path)
    prototype.unlink()


def _prototype(tree: Path) -> Iterator[str]:
    yield from ("/dev/null", "0 0", "d--755 0 0")
    yield from _prototype_of(tree)
    yield "$"


def _prototype_of(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        found = path.lstat()
        entry = _prototype_entry(path, found)
        if entry is None or " " in path.name:
            continue
        yield f"{path.name} {entry}"
        if stat.S_ISDIR(found.st_mode):
            yield from _prototype_of(path)
            yield "$"


def _prototype_entry(path: Path, found: os.stat_result) -> str | None:
    mode = found.st_mode
    sticky = f"{'u' if mode & stat.S_ISUID else '-'}{'g' if mode & stat.S_ISGID else '-'}"
    rights = f"{sticky}{mode & 0o777:03o} {found.st_uid} {found.st_gid}"
    if stat.S_ISREG(mode):
        return f"-{rights} {path}"
    if stat.S_ISDIR(mode):
        return f"d{rights}"
    if stat.S_ISLNK(mode):
        return f"l{rights} {path.readlink()}"
    if stat.S_ISCHR(mode):
        return f"c{rights} {os.major(found.st_rdev)} {os.minor(found.st_rdev)}"
    return None


def _btrfs(_kind: str, path: Path, tree: Path | None, uuid: str, label: str) -> None:
    options = ["-L", label] if label else []
    options += ["-U", uuid] if uuid else []
    options += ["--rootdir", str(tree)] if tree else []
    run("mkfs.btrfs", "-q", "-f", *options, path)


def _vfat(_kind: str, path: Path, tree: Path | None, uuid: str, label: str) -> None:
    serial = uuid.replace("-", "")[:8]
    run("mkfs.vfat", *(["-i", serial] if serial else []), *(["-n", label] if label else []), path)
    if tree is not None and any(tree.iterdir()):
        run("mcopy", "-s", "-i", path, *sorted(tree.iterdir()), "::", env={"MTOOLS_SKIP_CHECK": "1"})


def _swap(_kind: str, path: Path, _tree: Path | None, uuid: str, label: str) -> None:
    path.chmod(0o600)
    run("mkswap", *(["-U", uuid] if uuid else []), *(["-L", label] if label else []), path)
