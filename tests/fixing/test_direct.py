"""Writing without an appliance: what is declined, what a filesystem is like afterwards, and whose bytes change."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.disk.images import blank, ext, make_tree, need, open_paths, root_tree, run
from tests.fixing.listening import served
from tests.fixing.test_session import asked, copies, digests
from v2vlint.disk.stream import HostFile, Joined, MemoryStream, Piece, Slice, Stream
from v2vlint.disk.volumes.lvm import volumes
from v2vlint.disk.volumes.lvm_text import read_group
from v2vlint.fixing import appliance, session, transaction
from v2vlint.fixing.direct import hive
from v2vlint.fixing.direct.ext import ExtFiles
from v2vlint.fixing.direct.nbd import Client
from v2vlint.fixing.direct.ntfs import NtfsFiles
from v2vlint.fixing.direct.terms import Declined, Files, Mismatch
from v2vlint.fixing.direct.volume import WritableVolume
from v2vlint.fixing.direct.worker import lies_on
from v2vlint.fixing.protocol import Writer
from v2vlint.fixing.work import Work, Written
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import ImageError
from v2vlint.model.fix import Applicability
from v2vlint.samples.regf import make_hive

NOBODY = 65534


def stored(volume: WritableVolume, image: Path) -> None:
    """Put what was written into the image file that the volume is."""
    with image.open("r+b") as output:
        for change in volume.changes([volume.stream]):
            output.seek(change.offset)
            output.write(change.data)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("debugfs", "mke2fs")
    folder = tmp_path_factory.mktemp("small")
    return ext(folder / "small.img", make_tree(folder / "tree", odd=False), size=16 << 20)


STATES = [
    pytest.param("feature needs_recovery", "a journal that must be replayed", id="journal"),
    pytest.param("ssv state 0", "was not unmounted", id="unclean"),
    pytest.param("ssv state 3", "has errors", id="errors"),
    pytest.param("ssv last_orphan 13", "removal is not finished", id="orphans"),
    pytest.param("feature quota", "quotas", id="quota"),
    pytest.param("feature encrypt", "encryption", id="encrypt"),
    pytest.param("feature mmp", "multiple mount", id="mmp"),
    pytest.param("feature FEATURE_I24", "feature 0x1000000", id="unknown"),
]


@pytest.mark.parametrize(("command", "words"), STATES)
def test_a_filesystem_that_is_not_plain_is_declined(small: Path, tmp_path: Path, command: str, words: str) -> None:
    image = Path(shutil.copy(small, tmp_path / "image"))
    run("debugfs", "-w", "-R", command, image)
    with pytest.raises(Declined, match=words):
        ExtFiles(WritableVolume(HostFile(str(image))))


FILES: list[tuple[str, Callable[[Files], None], str]] = [
    ("sif /etc/hostname flags 0x80010", lambda files: files.overwrite("/etc/hostname", b"x"), "no plain file"),
    ("sif /etc/hostname flags 0x80020", lambda files: files.append("/etc/hostname", 6, b"x"), "no plain file"),
    ("sif /etc flags 0x80010", lambda files: files.create("/etc/x", b"", 0o644), "no plain one"),
    ("sif /etc flags 0x80010", lambda files: files.create("/etc/new/x", b"", 0o644), "no plain one"),
    ("", lambda files: files.create("/bin/x/y", b"", 0o644), "no folder"),
    ("", lambda files: files.overwrite("/bin", b"x"), "no plain file"),
    ("", lambda files: files.overwrite("/bin/sh", b"x"), "no folder"),
    ("", lambda files: files.delete("/etc"), "no plain file"),
    ("", lambda files: files.create(f"/etc/{'x' * 300}", b"", 0o644), "longer"),
    ("", lambda files: files.create("/etc/big", bytes(64 << 20), 0o644), "failed|space"),
]


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_file_that_is_not_plain_is_declined(small: Path, tmp_path: Path, number: int) -> None:
    command, edit, words = FILES[number]
    image = Path(shutil.copy(small, tmp_path / "image"))
    if command:
        run("debugfs", "-w", "-R", command, image)
    with pytest.raises(Declined, match=words):
        edit(ExtFiles(WritableVolume(HostFile(str(image)))))


def test_a_folder_with_a_default_acl_is_declined(small: Path, tmp_path: Path) -> None:
    image = Path(shutil.copy(small, tmp_path / "image"))
    acl = tmp_path / "acl"
    acl.write_bytes(bytes.fromhex("0200000001000700ffffffff04000500ffffffff20000500ffffffff"))
    run("debugfs", "-w", "-R", f"ea_set -f {acl} /etc system.posix_acl_default", image)
    with pytest.raises(Declined, match="default ACL"):
        ExtFiles(WritableVolume(HostFile(str(image)))).create("/etc/x", b"", 0o644)


def test_new_files_and_folders_inherit_flags_as_from_the_kernel(small: Path, tmp_path: Path) -> None:
    """What ``lsattr`` shows below a folder with ``chattr +SAdD``: D is for folders only (``ext4_mask_flags()``)."""
    image = Path(shutil.copy(small, tmp_path / "image"))
    run("debugfs", "-w", "-R", "sif /etc flags 0x900c8", image)
    volume = WritableVolume(HostFile(str(image)))
    files = ExtFiles(volume)
    files.create("/etc/new/file", b"x", 0o644)
    inodes = {path: files._inode(files._there(path)) for path in ("/etc", "/etc/new", "/etc/new/file")}
    assert {path: inode.flags & ~0x80000 for path, inode in inodes.items()} == {"/etc": 0x100C8, "/etc/new": 0x100C8, "/etc/new/file": 0xC8}


LAYOUTS = [
    "-t ext2", "-t ext3", "-t ext4", "-t ext4 -b 1024 -g 1024", "-t ext4 -I 128 -O ^metadata_csum",
    "-t ext4 -O ^64bit,^flex_bg,^dir_index", "-t ext4 -O metadata_csum_seed,large_dir",
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_sequence_of_edits_leaves_what_a_model_says(tmp_path: Path, layout: str) -> None:
    dice = random.Random(layout)
    image = ext(tmp_path / "image", make_tree(tmp_path / "tree", odd=False), *layout.split(), size=24 << 20)
    model: dict[str, bytes] = {}
    volume = WritableVolume(HostFile(str(image)))
    files = ExtFiles(volume)
    for number in range(150):
        known = sorted(model)
        action = dice.choice(("create", "create", "create", "overwrite", "append", "copy", "delete") if known else ("create",))
        data = dice.randbytes(dice.choice((0, 1, 59, 4096, 10_000, 70_000)))
        name = f"{dice.choice(('etc', 'home', 'etc/new', 'var/a/b/c'))}/{number}-{'n' * dice.randrange(60)}"
        if action == "create":
            files.create(f"/{name}", data, 0o640)
            model[name] = data
        elif action == "copy":
            source = dice.choice(known)
            files.copy(f"/{source}", f"/{name}")
            model[name] = model[source]
        elif action == "delete":
            files.delete(f"/{(gone := dice.choice(known))}")
            del model[gone]
        else:
            edited = dice.choice(known)
            model[edited] = data if action == "overwrite" else model[edited] + data
            files.overwrite(f"/{edited}", data) if action == "overwrite" else files.append(
                f"/{edited}", files.size(f"/{edited}") or 0, data
            )
    files.close()
    stored(volume, image)
    run("e2fsck", "-fn", image)
    guest = open_paths(image)
    found = {path: entry for path, entry in root_tree(guest).items() if path in model}
    assert {path: entry[1] for path, entry in found.items()} == {path: _sha(content) for path, content in model.items()}


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_is_written_lies_where_the_segments_are() -> None:
    first, second = MemoryStream(bytes(64 << 10)), MemoryStream(bytes(64 << 10))
    pieces = [Piece(8192, Slice(first, 4096, 8192)), Piece(12288, Slice(second, 512, 20_000), 1024), Piece(4096, first, 32768)]
    volume = WritableVolume(Joined(pieces))
    volume.write(8000, b"x" * 400)
    volume.write(20_000, b"y" * 1000)
    for offset in (8000, 8191, 20_000, 20_479):
        assert volume.read(offset, 1) in (b"x", b"y")
    found = {(change.disk, change.offset): change.data for change in volume.changes([first, second])}
    assert [key for key in found if key[0] == 0] == [(0, 4096 + 7680), (0, 32768)]
    assert [key for key in found if key[0] == 1] == [(1, 512 + 1024), (1, 512 + 1024 + 19_968 - 8192)]
    assert found[0, 4096 + 7680][320:] == b"x" * 192
    assert found[0, 32768][:520] == b"y" * 520


def test_what_is_no_part_of_a_disk_is_declined() -> None:
    class Mirror(Stream):
        def read_at(self, offset: int, length: int) -> bytes:
            return bytes(self.clip(offset, length))

    for stream in (Mirror(8192), Joined([Piece(4096, MemoryStream(bytes(4096))), Piece(4096, None)])):
        volume = WritableVolume(stream)
        volume.write(4096, b"x" * 512)
        with pytest.raises(Declined, match="no plain part"):
            list(volume.changes([]))


def test_a_write_that_leaves_the_volume_is_none() -> None:
    volume = WritableVolume(MemoryStream(bytes(8192)))
    for offset in (-1, 8192, 8000):
        with pytest.raises(ValueError, match="leaves a volume"):
            volume.write(offset, b"x" * 500)


@pytest.fixture
def ntfs(tmp_path: Path) -> Path:
    need("mkntfs")
    image = blank(tmp_path / "ntfs.img", 16 << 20)
    run("mkntfs", "-q", "-F", image)
    return image


def test_a_windows_that_sleeps_is_declined(ntfs: Path) -> None:
    volume = WritableVolume(HostFile(str(ntfs)))
    files = NtfsFiles(volume)
    files.create("/Windows/System32/a.txt", b"a" * 5000, 0o644)
    files.overwrite("/WINDOWS/system32/A.TXT", b"b" * 9000)
    assert files.read("/windows/system32/a.txt") == b"b" * 9000
    files.create("/hiberfil.sys", b"hibr" + bytes(4092), 0o644)
    files.close()
    stored(volume, ntfs)
    run("ntfsfix", "-n", ntfs)
    with pytest.raises(Declined, match="hibernated"):
        NtfsFiles(WritableVolume(HostFile(str(ntfs))))


def test_a_hive_with_changes_in_its_log_is_refused(tmp_path: Path) -> None:
    clean = make_hive("[a]\n")
    assert hive.edited(clean, "SYSTEM", [], tmp_path)
    data = bytearray(clean)
    data[4] += 1
    with pytest.raises(Mismatch, match="log files"):
        hive.edited(bytes(data), "SYSTEM", [], tmp_path)


def test_what_cannot_be_written_directly_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    images = copies("centos7-hyperv", tmp_path)
    before = digests(images)
    with pytest.raises(ImageError, match=r"cannot be written directly: .* type xfs") as caught:
        session.fix_in_place(replace(asked(images, Applicability.UNSAFE), writer=Writer.DIRECT))
    assert caught.value.hint == "--writer libguestfs"
    assert digests(images) == before
    assert sorted(tmp_path.iterdir()) == sorted(images)


def test_an_appliance_takes_over_and_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Work] = []

    def instead(work: Work) -> Written:
        seen.append(work)
        return Written((), {}, "under a stand-in")

    monkeypatch.setattr(appliance, "write", instead)
    outcome = session.fix_in_place(asked(copies("centos7-hyperv", tmp_path), Applicability.UNSAFE))
    assert seen
    assert any(note.startswith("written under a stand-in, not directly: ") and "xfs" in note for note in outcome.notes)


def test_no_appliance_is_started_for_what_is_written_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appliance, "write", lambda _work: pytest.fail("an appliance"))
    images = copies("debian-vmware-desktop", tmp_path)
    before = digests(images)
    outcome = session.fix_in_place(asked(images, Applicability.UNSAFE))
    assert not outcome.failed
    assert "fstab-device-name" in {chosen.rule for chosen in outcome.applied}
    assert any(note.startswith("written directly, by libext2fs") for note in outcome.notes)
    transaction.undo(images[0])
    assert digests(images) == before


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of an ordinary user, with an image of theirs."""
    folder = Path(tempfile.mkdtemp(prefix="v2vlint-theirs-"))
    image = Path(shutil.copy(cached("debian-vmware-desktop")[0], folder / "guest.qcow2"))
    if not os.geteuid():
        for path in (folder, image):
            os.chown(path, NOBODY, NOBODY)
    yield image
    shutil.rmtree(folder)


def _anybodys_python() -> str:
    """An interpreter of this version that an ordinary user can execute: this one may lie in root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for place in (Path(sys.executable).resolve(), Path("/usr/bin") / version):
        if not os.geteuid() and place.exists() and all(folder.stat().st_mode & 0o1 for folder in place.parents):
            return str(place)
    return sys.executable if os.geteuid() else pytest.skip(f"no {version} that an ordinary user may execute")


def test_an_ordinary_user_needs_neither_root_nor_kvm_nor_fuse(theirs: Path) -> None:
    need("setpriv")
    lower = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"] if not os.geteuid() else []
    environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PATH": os.environ["PATH"],
        "HOME": str(theirs.parent),
        "TMPDIR": str(theirs.parent),
    }
    command = [*lower, _anybodys_python(), "-m", "v2vlint", "--fix", "--no-config", "--writer", "direct", str(theirs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)
    assert "written directly" in done.stdout, done.stdout + done.stderr
    assert "undo with" in done.stdout


def test_a_folder_whose_entries_are_in_its_inode_is_declined(tmp_path: Path) -> None:
    image = ext(tmp_path / "image", make_tree(tmp_path / "tree", odd=False), "-t", "ext4", "-O", "inline_data", size=24 << 20)
    with pytest.raises(Declined, match="no plain one"):
        ExtFiles(WritableVolume(HostFile(str(image)))).create("/var/x", b"", 0o644)


VOLUMES = """vg {
id = "v"
extent_size = 8
physical_volumes {
pv0 { id = "p" pe_start = 8 }
}
logical_volumes {
plain { id = "1" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "striped" stripes = ["pv0", 0] } }
root { id = "2" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "striped" stripes = ["pv0", 2] } }
snapshot0 { id = "3" segment1 { start_extent = 0 extent_count = 2 type = "snapshot" origin = "root" cow_store = "snap" } }
snap { id = "4" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "striped" stripes = ["pv0", 4] } }
twin { id = "5" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "mirror" mirrors = ["pv0", 6, "pv0", 8] } }
upon { id = "6" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 2 type = "striped" stripes = ["plain", 0] } }
}
}
"""


def test_a_volume_that_a_snapshot_watches_or_that_is_kept_twice_is_no_plain_one() -> None:
    """Their bytes may be read from one place, but what is written to that place alone does damage."""
    found = {one.name: one for one in volumes(read_group(VOLUMES), {"p": MemoryStream(bytes(64 << 10))})}
    assert {name for name, one in found.items() if one.stream} == {"plain", "root", "twin", "upon"}
    assert {name for name, one in found.items() if one.plain} == {"plain"}


@pytest.mark.parametrize("kind", ["md", "luks", "ldm", "bitlocker", "lv"])
def test_what_lies_on_more_than_parts_of_disks_is_declined(kind: str) -> None:
    disk = BlockDevice("disk1", "disk", 1, 0)
    layer = BlockDevice("layer", kind, 1, 0, parents=("disk1",))
    top = BlockDevice("vg/root", "lv", 1, 0, parents=("layer",), details=(("plain", "yes"),))
    assert "layer" in lies_on(BlockTable((disk, layer, top)), "vg/root")
    plain = BlockDevice("layer", "partition", 1, 0, parents=("disk1",))
    assert lies_on(BlockTable((disk, plain, top)), "vg/root") == ""


def test_a_server_that_does_not_listen_yet_is_waited_for(tmp_path: Path) -> None:
    def serve(server: socket.socket) -> None:
        time.sleep(0.2)
        server.listen()
        with server.accept()[0] as client:
            client.sendall(bytes(18))

    with served(tmp_path / "socket", serve), pytest.raises(ImageError, match="no NBD server"):
        Client(tmp_path / "socket")
