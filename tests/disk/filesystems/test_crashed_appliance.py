"""Copies of filesystems in use that this host's kernel may not have, by that of libguestfs' appliance: XFS of version 4, and FAT.

Histories are written down as shell scripts, a scratch disk takes all of them to one appliance, and brings the copies back with what was
shown after mounting each. ``V2VLINT_CRASHED=A-B`` chooses the histories as for ``test_crashed.py``.
"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.disk.filesystems.history import BLOB, SHELL, History, odd, plain
from tests.disk.images import Tree, blank, need, run
from tests.disk.test_oracle import APPLIANCE
from v2vlint.disk.filesystems.ext import Ext
from v2vlint.disk.filesystems.node import Kind, Node
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile, Stream
from v2vlint.model.errors import ImageError

pytestmark = pytest.mark.truth

_FIRST, _, _LAST = os.environ.get("V2VLINT_CRASHED", "1").rpartition("-")
SEEDS = range(int(_FIRST or 0), int(_LAST))
MIB = 1 << 20


@dataclass(frozen=True)
class Sort:
    """A filesystem of ``size`` MiB made by ``make`` (IMAGE stands for it), mounted as ``type`` with ``options``."""

    size: int
    make: str
    type: str
    options: str = ""
    posix: bool = True


_FAT = "utf8=1,codepage=437"
_XFS = "env TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x mkfs.xfs -q -m crc=0"
"""Told so, it makes small ones with small logs, as old ones are."""
SORTS = {
    "xfs-v4": Sort(320, "mkfs.xfs -q -m crc=0 IMAGE", "xfs"),
    "xfs-v4-small": Sort(48, f"{_XFS} -l size=4m IMAGE", "xfs"),
    "xfs-v4-old": Sort(48, f"{_XFS} -b size=1024 -i attr=1 -n ftype=0 -l version=1,size=3m IMAGE", "xfs"),
    "fat12": Sort(4, "mkfs.fat -F 12 IMAGE", "vfat", _FAT, posix=False),
    "fat16": Sort(24, "mkfs.fat -F 16 IMAGE", "vfat", _FAT, posix=False),
    "fat32": Sort(64, "mkfs.fat -F 32 -s 1 IMAGE", "vfat", _FAT, posix=False),
    "fat32-4k": Sort(64, "mkfs.fat -F 32 -S 4096 IMAGE", "vfat", _FAT, posix=False),
}
HARNESS = """
M=/tmp/mounted; mkdir -p $M; cd /sysroot
modprobe -a loop xfs vfat nls_cp437 nls_utf8 nls_ascii
list() {
    find $M -mindepth 1 ! -path '*/lost+found*' -printf '%y\\t%m\\t%s\\t%P\\t%l\\n' | sort > $1.list
    (cd $M; find . -type f -exec sha256sum {} +) > $1.sums
}
copy() { cp --sparse=always $1.fs $1.copy; }
attach() { L=$(losetup -f --show $3) && mount -t $1 -o "${2:-rw}" $L $M; }
detach() { umount $M; losetup -d $L; }
history() {
    echo $4 > /proc/sys/vm/dirty_writeback_centisecs; echo $4 > /proc/sys/vm/dirty_expire_centisecs
    attach $2 "$3" $1.fs && . ./$1.sh && detach && rm $1.fs $1.sh
    cp --sparse=always $1.copy $1.again
    attach $2 "$3" $1.again && list $1 && detach
    rm $1.again
}
"""

COMMANDS = """
debug sh "bash /sysroot/all > /sysroot/log 2>&1; sync /sysroot/log"
debug sh "mount -o remount,ro /sysroot; umount -l /sysroot"
"""
"""What is written is on the disk even where something still holds it."""


def script(folder: Path, name: str, seed: int) -> str:
    """The commands that take one history; its filesystem and its changes are left in the folder."""
    sort = SORTS[name]
    whole = f"{name}-{seed}"
    words = sort.make.replace("IMAGE", str(blank(folder / f"{whole}.fs", sort.size * MIB))).split()
    need(words[0])
    run(*words)
    draw = random.Random(whole)
    with tempfile.TemporaryDirectory() as top:
        changes = History(Path(top), draw.randrange(1 << 30), plain if sort.posix else odd, links=sort.posix, forced=False)
        changes.run(draw.randrange(5, 80))
        changes.script.append('sync -f "$M"')
        changes.run(draw.randrange(5, 80))
    (folder / f"{whole}.sh").write_text("\n".join([*changes.script, f"copy {whole}"]))
    return f"history {whole} {sort.type} '{sort.options}' {draw.choice((3000, 5))}"


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Ext:
    """The disk that came back from the appliance."""
    need("guestfish", "mke2fs")
    folder = tmp_path_factory.mktemp("crashed")
    content = folder / "content"
    content.mkdir()
    (content / "blob").write_bytes(BLOB)
    lines = [script(content, name, seed) for name in SORTS for seed in SEEDS]
    (content / "all").write_text("\n".join([HARNESS, SHELL, *lines]))
    disk = blank(folder / "disk", (4 << 30) + len(lines) * 40 * MIB)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", content, disk)
    commands = f"add {disk} format:raw\nrun\nmount /dev/sda /\n" + COMMANDS
    run("env", *APPLIANCE, "guestfish", input=commands)
    return Ext(HostFile(str(disk)))


def text(scratch: Ext, name: str) -> str:
    node = scratch.root.child(name)
    return node.open().read().decode("utf-8", "surrogateescape") if node else ""


def listed(scratch: Ext, name: str) -> Tree:
    """What the kernel showed, in the form of :func:`read`."""
    sums = {row[66:]: row[:64] for row in text(scratch, f"{name}.sums").splitlines()}
    found: Tree = {}
    for row in text(scratch, f"{name}.list").splitlines():
        kind, mode, _size, path, link = row.split("\t")
        entries: dict[str, tuple[object, ...]] = {"d": ("dir",), "l": ("link", link)}
        found[path] = entries.get(kind) or ("file", sums.get(f"./{path}", "unreadable"), int(mode, 8))
    return found


def read(node: Node, folder: str = "") -> Iterator[tuple[str, tuple[object, ...]]]:
    """Everything below a folder; a file that cannot be read is told as such."""
    for name in node.names():
        child, path = node.child(name), f"{folder}{name}"
        assert child is not None, path
        status = child.stat()
        if status.kind is Kind.DIR and path != "lost+found":
            yield from _folder(child, path)
        elif status.kind is Kind.LINK:
            yield path, ("link", child.link())
        elif status.kind is Kind.FILE:
            yield path, ("file", _digest(child), status.mode)


def _folder(node: Node, path: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """A folder and what is in it; nothing where it cannot be read, as find(1) lists none of those that the kernel refuses."""
    try:
        inside = list(read(node, f"{path}/"))
    except ImageError:
        return
    yield path, ("dir",)
    yield from inside


def _digest(node: Node) -> str:
    try:
        return hashlib.sha256(node.open().read()).hexdigest()
    except ImageError:
        return "unreadable"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SORTS)
def test_the_copy_is_read_as_that_kernel_shows_it(scratch: Ext, name: str, seed: int) -> None:
    node = scratch.root.child(f"{name}-{seed}.copy")
    assert node is not None, text(scratch, "log")
    copy = node.open()
    assert isinstance(copy, Stream)
    system = open_filesystem(probe(copy), [copy])
    wanted = listed(scratch, f"{name}-{seed}")
    assert wanted, text(scratch, "log")
    found = dict(read(system.root))
    part = slice(None if SORTS[name].posix else 2)
    wrong = {key: (found.get(key), wanted.get(key)) for key in found | wanted if found.get(key, ())[part] != wanted.get(key, ())[part]}
    assert system.stale or wrong == {}
