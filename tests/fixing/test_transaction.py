"""The transaction on real images: commit, undo, refusal, recovery at every state, and kill -9 at random moments."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import run
from tests.fixing.stand_in import killed_at
from v2vlint.disk.containers.formats import open_image
from v2vlint.fixing import qemu, transaction
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.source import DiskFile

SIZE = 24 << 20
FORMATS = ["qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc"]


def make_image(folder: Path, driver: str = "qcow2", name: str = "disk.img") -> WritableDisk:
    """An image with eight MiB of ones, the rest never written."""
    image = folder / name
    run("qemu-img", "create", "-q", "-f", driver, image, str(SIZE))
    run("qemu-io", "-f", driver, "-c", "write -P 1 0 8M", image)
    return WritableDisk(image, driver)


def edit(disk: WritableDisk, pattern: int = 7) -> None:
    """Change data, overwrite with zeroes, and write where nothing was."""
    for command in (f"write -P {pattern} 1M 200k", "write -z 3M 64k", f"write -P {pattern} 20M 3M", f"write -P {pattern} {SIZE - 512} 512"):
        run("qemu-io", "-f", "qcow2", "-c", command, disk.overlay)


def content(image: Path, driver: str) -> str:
    """SHA-256 of the virtual disk."""
    raw = image.with_suffix(".raw-copy")
    run("qemu-img", "convert", "-U", "-f", driver, "-O", "raw", image, raw)
    digest = hashlib.sha256(raw.read_bytes()).hexdigest()
    raw.unlink()
    return digest


def overlaid(disk: WritableDisk) -> str:
    """SHA-256 of the virtual disk with the changes in the overlay."""
    kind = {"vpc": "vhd"}.get(disk.driver, disk.driver)
    stream = open_image(DiskFile(str(disk.overlay), "overlay", below=(str(disk.image), kind))).stream
    return hashlib.sha256(stream.read_at(0, stream.size)).hexdigest()


def leftovers(disk: WritableDisk) -> set[str]:
    """Names of our files beside the image."""
    return {path.name.rsplit(".", 1)[1] for path in disk.image.parent.iterdir() if ".v2vlint-" in path.name}


@pytest.mark.parametrize("driver", FORMATS)
def test_commit_writes_what_was_edited_and_undo_restores_the_file(tmp_path: Path, driver: str) -> None:
    disk = make_image(tmp_path, driver)
    before, file = content(disk.image, driver), disk.image.read_bytes()
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    wanted = overlaid(disk)
    assert content(disk.image, driver) == before
    transaction.commit(journal)
    assert content(disk.image, driver) == wanted
    assert leftovers(disk) == {"v2vlint-undo", "v2vlint-journal"}
    assert transaction.undo(disk.image).titles == ("a fix",)
    assert disk.image.read_bytes() == file
    assert leftovers(disk) == set()


OPTIONS = [
    ("vmdk", "subformat=monolithicFlat"),
    ("vmdk", "subformat=twoGbMaxExtentFlat"),
    ("vpc", "subformat=fixed"),
    ("vdi", "static=on"),
    ("qcow2", "extended_l2=on"),
    ("qcow2", "cluster_size=512"),
    ("qcow2", "cluster_size=2M"),
    ("qcow2", "compat=0.10"),
    ("qcow2", "lazy_refcounts=on,refcount_bits=1"),
    ("qcow2", "preallocation=metadata"),
]


@pytest.mark.parametrize(("driver", "options"), OPTIONS)
def test_every_file_of_every_layout_comes_back(tmp_path: Path, driver: str, options: str) -> None:
    image = tmp_path / "disk.img"
    run("qemu-img", "create", "-q", "-f", driver, "-o", options, image, str(SIZE))
    run("qemu-io", "-f", driver, "-c", "write -P 1 0 8M", image)
    _fixed_and_undone(WritableDisk(image, driver))


def test_an_image_with_a_snapshot_comes_back(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    run("qemu-img", "snapshot", "-c", "before", disk.image)
    _fixed_and_undone(disk)


def test_a_compressed_image_and_one_of_odd_length_come_back(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(range(256)) * (SIZE // 256) + b"odd")
    run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, tmp_path / "packed")
    _fixed_and_undone(WritableDisk(tmp_path / "packed", "qcow2"))
    _fixed_and_undone(WritableDisk(raw, "raw"))


def _fixed_and_undone(disk: WritableDisk) -> None:
    folder = disk.image.parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    wanted = overlaid(disk)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if "v2vlint" not in path.name} == before
    transaction.commit(journal)
    assert content(disk.image, disk.driver) == wanted
    transaction.undo(disk.image)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [("vmdk", "subformat=twoGbMaxExtentSparse", "in pieces"), ("qcow2", "data_file=data.raw", "in another file")],
)
def test_what_cannot_be_taken_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, options: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = options.replace("=data", f"={tmp_path}/data")
    run("qemu-img", "create", "-q", "-f", driver, "-o", options, tmp_path / "disk.img", "8M")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=words) as caught:
        transaction.begin([WritableDisk(tmp_path / "disk.img", driver)], ["a fix"])
    assert "-o" in caught.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_description_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    """Also through a link in the folder."""
    (tmp_path / "in").mkdir()
    image = tmp_path / "in/disk.vmdk"
    run("qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", image, "8M")
    flat = (tmp_path / "in/disk-flat.vmdk").rename(tmp_path / "victim")
    (tmp_path / "in/disk-flat.vmdk").symlink_to(flat)
    with pytest.raises(ImageError, match="outside its folder"):
        transaction.begin([WritableDisk(image, "vmdk")], ["a fix"])


def test_second_fix_keeps_the_oldest_content(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    before = content(disk.image, "qcow2")
    for pattern, title in ((7, "one"), (9, "two")):
        journal = transaction.begin([disk], [title])
        edit(disk, pattern)
        transaction.commit(journal)
    assert transaction.undo(disk.image).titles == ("one", "two")
    assert content(disk.image, "qcow2") == before


def test_abort_of_a_second_fix_keeps_the_first_undo(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    journal = transaction.begin([disk], ["one"])
    edit(disk)
    transaction.commit(journal)
    transaction.abort(transaction.begin([disk], ["two"]))
    assert transaction.undo(disk.image).titles == ("one",)


def test_nothing_to_undo(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    with pytest.raises(UsageError, match="nothing to undo"):
        transaction.undo(disk.image)


def test_undo_refuses_an_image_that_changed(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    transaction.commit(journal)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 5 12M 64k", disk.image)
    with pytest.raises(ImageError, match="changed since"):
        transaction.undo(disk.image)
    with pytest.raises(ImageError, match="changed since"):
        transaction.begin([disk], ["another"])
    with pytest.raises(ImageError, match="another program wrote"):
        transaction.undo(disk.image, force=True)


def test_image_open_elsewhere_is_refused(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    holder = subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(disk.image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert holder.stdout is not None
        holder.stdout.read(8)
        with pytest.raises(qemu.ImageLocked):
            transaction.begin([disk], ["a fix"])
    finally:
        holder.kill()
        holder.communicate()


def test_two_writers_are_kept_apart(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    with (
        transaction.locked([disk.image]),
        pytest.raises(qemu.ImageLocked, match="another v2vlint"),
        transaction.locked([disk.image]),
    ):
        pass


def test_two_disks_change_together(tmp_path: Path) -> None:
    disks = [make_image(tmp_path, "qcow2", "a.img"), make_image(tmp_path, "raw", "b.img")]
    before = [content(disk.image, disk.driver) for disk in disks]
    journal = transaction.begin(disks, ["a fix"])
    for disk in disks:
        edit(disk)
    transaction.commit(journal)
    assert [content(d.image, d.driver) for d in disks] != before
    transaction.undo(disks[0].image)
    assert [content(d.image, d.driver) for d in disks] == before


def test_damaged_journal_is_refused(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    Path(f"{disk.image}.v2vlint-journal").write_text("{", "utf-8")
    with pytest.raises(ImageError, match="journal"):
        transaction.begin([disk], ["a fix"])


@pytest.mark.parametrize("closed", ["image", "folder"])
def test_what_cannot_be_written_is_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    """Root may write everywhere, so the kernel's answer is put in its mouth."""
    disk = make_image(tmp_path)
    place = disk.image if closed == "image" else tmp_path
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != place)
    with pytest.raises(ImageError, match=rf"^{place}: cannot be written") as caught:
        transaction.begin([disk], ["a fix"])
    assert "-o NEW.qcow2" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]


@pytest.mark.parametrize("driver", FORMATS)
def test_a_guest_that_changed_meanwhile_is_not_committed_to(tmp_path: Path, driver: str) -> None:
    disk = make_image(tmp_path, driver)
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    run("qemu-io", "-f", driver, "-c", "write -P 5 12M 64k", disk.image)
    before = disk.image.read_bytes()
    with pytest.raises(ImageError, match="another program changed it"):
        transaction.commit(journal)
    assert disk.image.read_bytes() == before
    assert leftovers(disk) == set()


@pytest.mark.parametrize("driver", FORMATS)
@pytest.mark.parametrize("state", ["committing", "undoing"])
def test_recovery_does_not_replay_onto_a_changed_guest(tmp_path: Path, driver: str, state: str) -> None:
    """Whatever the format is, and with the old time put back."""
    disk = make_image(tmp_path, driver)
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    if state == "undoing":
        transaction.commit(journal)

    def work() -> None:
        transaction.undo(disk.image) if state == "undoing" else transaction.commit(journal)

    assert killed_at(0, work, state) == state
    found = disk.image.stat()
    run("qemu-io", "-f", driver, "-c", "write -P 5 1M 64k", disk.image)
    os.utime(disk.image, ns=(found.st_atime_ns, found.st_mtime_ns))
    before = disk.image.read_bytes()
    for force in (False, True):
        with transaction.locked([disk.image]), pytest.raises(ImageError, match="another program wrote"):
            transaction.recover(disk.image, force=force)
        assert disk.image.read_bytes() == before
