"""Real images by the usual tools, without root: a small guest tree with odd files, filesystems, containers, partitions, and an oracle."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from v2vlint.disk.filesystems.node import FileSystem, Kind, Node
from v2vlint.guest.open import GuestContents, open_guest
from v2vlint.model.source import DiskFile, GuestSource, Key, Keys

Tree = dict[str, tuple[object, ...]]

FSTAB = "UUID=11111111-2222-4333-8444-555555555555 / ext4 defaults 0 1\n"
OS_RELEASE = 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
ROOT_UUID = "11111111-2222-4333-8444-555555555555"


_UNMEASURED = "Unable to get accurate CPU usage"
"""On a loaded machine qemu-img gives up measuring its own speed for LUKS."""
_TRIES = 40


def run(*command: str | Path, cwd: Path | None = None, **options: Any) -> str:
    """Run a tool found in PATH or sbin; the test fails with its stderr."""
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}
    for _try in range(_TRIES):
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, cwd=cwd, env=environment, check=False, **options
        )  # fmt: skip
        if _UNMEASURED not in done.stderr:
            break
    if done.returncode:
        pytest.fail(f"{command[0]}: {done.stderr}")
    return str(done.stdout)


def need(*tools: str) -> None:
    """Skip the test where a tool is not installed."""
    for tool in tools:
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            pytest.skip(f"{tool} is not installed")


def make_tree(top: Path, *, odd: bool = True) -> Path:
    """A tree that looks like a Debian root, with files that readers stumble over when ``odd``."""
    for folder in ("etc", "usr/bin", "usr/lib", "var/lib", "boot", "dev", "proc", "home"):
        (top / folder).mkdir(parents=True)
    (top / "bin").symlink_to("usr/bin")
    (top / "etc/fstab").write_text(FSTAB)
    (top / "usr/lib/os-release").write_text(OS_RELEASE)
    (top / "etc/os-release").symlink_to("../usr/lib/os-release")
    (top / "etc/hostname").write_text("probe\n")
    (top / "usr/bin/sh").write_bytes(b"\x7fELF\2\1\1" + bytes(9) + (2).to_bytes(2, "little") + (62).to_bytes(2, "little") + bytes(44))
    (top / "usr/bin/sh").chmod(0o4755)
    (top / "boot/initrd.img").write_bytes(random.Random(7).randbytes(700_000))
    if odd:
        _odd(top / "odd")
    return top


def _odd(top: Path) -> None:
    noise = random.Random(1)
    (top / "many").mkdir(parents=True)
    for number in range(700):
        (top / f"many/a-file-with-a-rather-long-name-{number:05}").write_bytes(b"%d" % number)
    with (top / "sparse").open("wb") as file:
        file.truncate(9 << 20)
        file.seek(3 << 20)
        file.write(b"x" * 5000)
    with (top / "holes").open("wb") as file:
        for number in range(600):
            file.seek(number * 8192)
            file.write(noise.randbytes(3000))
    (top / "plain").write_bytes(noise.randbytes(1_234_567))
    (top / "zeros").write_bytes(bytes(300_000))
    (top / "text").write_bytes(b"all work and no play\n" * 20_000)
    (top / "empty").write_bytes(b"")
    (top / "tiny").write_bytes(b"t")
    (top / "tiny").chmod(0o600)
    for size in (59, 60, 200):
        (top / f"link{size}").symlink_to("y" * size)
    (top / "deep/er/and/deeper").mkdir(parents=True)
    (top / "deep/er/and/deeper/file").write_text("deep")


def host_tree(top: Path) -> Tree:
    """What is below ``top`` on the host: the oracle."""
    found: Tree = {}
    # Path.rglob follows links, and Python 3.11.2 stops at one whose target is too long.
    for path in sorted(Path(folder, name) for folder, folders, files in os.walk(top) for name in (*folders, *files)):
        name, status = str(path.relative_to(top)), path.lstat()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("dir",)
        elif stat.S_ISREG(status.st_mode):
            found[name] = ("file", hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mode & 0o7777)
    return found


def read_tree(system: FileSystem) -> Tree:
    """What v2vlint reads of a filesystem, in the form of :func:`host_tree`."""
    return dict(_walk(system.root, ""))


def _walk(node: Node, folder: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    for name in node.names():
        child = node.child(name)
        assert child is not None, name
        status, path = child.stat(), f"{folder}{name}"
        if status.kind is Kind.DIR:
            yield path, ("dir",)
            yield from _walk(child, f"{path}/")
        elif status.kind is Kind.LINK:
            yield path, ("link", child.link())
        elif status.kind is Kind.FILE:
            yield path, ("file", _digest(child, status.size), status.mode)


def _digest(node: Node, size: int) -> str:
    digest, total = hashlib.sha256(), 0
    with node.open() as stream:
        while block := stream.read(300_001):
            digest.update(block)
            total += len(block)
    assert total == size
    return digest.hexdigest()


def same(found: Tree, wanted: Tree, *, modes: bool = True) -> None:
    """Fail on the first differences; lost+found does not count."""
    left = {name: entry if modes else entry[:2] for name, entry in found.items() if not name.startswith("lost+found")}
    right = {name: entry if modes else entry[:2] for name, entry in wanted.items() if not name.startswith("lost+found")}
    wrong = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    assert wrong == []


def blank(path: Path, size: int) -> Path:
    """An empty sparse file."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def ext(path: Path, tree: Path, *options: str, size: int = 48 << 20) -> Path:
    """An ext filesystem of a tree."""
    run("mke2fs", "-q", "-F", "-U", ROOT_UUID, "-d", tree, *(options or ("-t", "ext4")), blank(path, size))
    return path


def open_paths(*paths: Path, keys: tuple[bytes | Key, ...] = (), form: str = "") -> GuestContents:
    """Open disk files as one guest, with keys for every device."""
    files = tuple(DiskFile(str(path), path.name, format=form) for path in paths)
    return open_guest(GuestSource("guest", files), Keys(tuple(key if isinstance(key, Key) else Key(key) for key in keys)))


def root_tree(guest: GuestContents, index: int = 0) -> Tree:
    """All files of a root's own filesystem."""
    assert len(guest.roots) > index, guest.problems
    return read_tree(guest.roots[index].fs.mounts["/"])


def problems(guest: GuestContents) -> list[str]:
    """Problems as ``where: reason``."""
    return [f"{problem.where}: {problem.reason}" for problem in guest.problems]


def partitioned(path: Path, script: str, parts: dict[int, Path], size: int) -> Path:
    """A disk with the table that sfdisk makes of ``script``; ``parts`` are copied to their start in 512-byte sectors."""
    run("sfdisk", "-q", blank(path, size), input=script)
    with path.open("r+b") as disk:
        for sector, content in parts.items():
            disk.seek(sector * 512)
            disk.write(content.read_bytes())
    return path
