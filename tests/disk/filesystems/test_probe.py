"""The identities of contents are those that blkid(8) prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile

MIB = 1 << 20
UUID = "0f3c5e3c-9f0b-4f0e-8a2f-5a3a4a0b7f11"
MADE: dict[str, tuple[int, str]] = {
    "ext4": (16, f"mke2fs -q -F -t ext4 -L 'my label' -U {UUID} IMAGE"),
    "ext3": (16, f"mke2fs -q -F -t ext3 -U {UUID} IMAGE"),
    "ext2": (16, "mke2fs -q -F -t ext2 IMAGE"),
    "ext4 without journal": (16, "mke2fs -q -F -t ext4 -O ^has_journal IMAGE"),
    "external journal": (16, "mke2fs -q -F -b 4096 -O journal_dev IMAGE"),
    "xfs": (320, f"mkfs.xfs -q -L data -m uuid={UUID} IMAGE"),
    "xfs v4": (320, "mkfs.xfs -q -m crc=0 IMAGE"),
    "btrfs": (128, f"mkfs.btrfs -q -L root -U {UUID} IMAGE"),
    "swap": (8, f"mkswap -q -L swap -U {UUID} IMAGE"),
    "vfat 12": (1, "mkfs.vfat -F 12 -n BOOT -i 0A0B0C0D IMAGE"),
    "vfat 16": (20, "mkfs.vfat -F 16 -n ESP -i 1234ABCD IMAGE"),
    "vfat 32": (80, "mkfs.vfat -F 32 -i DEADBEEF IMAGE"),
    "vfat without label": (20, "mkfs.vfat IMAGE"),
    "exfat": (16, "mkfs.exfat -L stick IMAGE"),
    "ntfs": (20, "mkntfs -Q -F -q -L 'System Reserved' IMAGE"),
    "f2fs": (64, "mkfs.f2fs -q IMAGE"),
    "luks1": (4, "cryptsetup luksFormat --type luks1 -q --pbkdf-force-iterations 1000 IMAGE KEY"),
    "luks2": (20, "cryptsetup luksFormat --type luks2 -q --label vault --pbkdf pbkdf2 --pbkdf-force-iterations 1000 IMAGE KEY"),
}
OURS_ONLY = {"f2fs": {"UUID", "LABEL"}, "external journal": {"UUID", "LABEL"}}


def blkid(image: Path) -> Content:
    words = dict(word.split("=", 1) for word in shlex.split(run("blkid", "-p", "-o", "full", image).split(": ", 1)[1]))
    return Content(words.get("TYPE", ""), words.get("UUID", ""), words.get("LABEL", ""))


@pytest.mark.parametrize("name", MADE)
def test_as_blkid(tmp_path: Path, name: str) -> None:
    size, command = MADE[name]
    image = blank(tmp_path / "image", size * MIB)
    (tmp_path / "key").write_bytes(b"secret")
    words = shlex.split(command.replace("IMAGE", str(image)).replace("KEY", str(tmp_path / "key")))
    need(words[0])
    run(*words)
    found, wanted = probe(HostFile(str(image))), blkid(image)
    unsaid = OURS_ONLY.get(name, set())
    assert found.type == wanted.type
    assert found.uuid == wanted.uuid or "UUID" in unsaid
    assert found.label == wanted.label or "LABEL" in unsaid


@pytest.mark.parametrize("packed", ["iso", "squashfs"])
def test_packed_filesystems(tmp_path: Path, tree: Path, packed: str) -> None:
    image = tmp_path / "image"
    tool = {"iso": "genisoimage", "squashfs": "mksquashfs"}[packed]
    need(tool)
    (tmp_path / "top").mkdir()
    (tmp_path / "top/file").write_text("x")
    if packed == "iso":
        run(tool, "-quiet", "-V", "cidata", "-o", image, tmp_path / "top")
    else:
        run(tool, tmp_path / "top", image, "-quiet", "-no-progress")
    found, wanted = probe(HostFile(str(image))), blkid(image)
    assert (found.type, found.uuid, found.label) == (wanted.type, wanted.uuid, wanted.label)


def detail(image: Path, key: str) -> str:
    return dict(probe(HostFile(str(image))).details).get(key, "")


def test_details_of_ext(tmp_path: Path) -> None:
    image = blank(tmp_path / "image", 16 * MIB)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-N", "128", image)
    listing = dict(line.split(":", 1) for line in run("dumpe2fs", "-h", image).splitlines() if ":" in line)
    assert detail(image, "free") == str(int(listing["Free blocks"]) * 1024)
    assert detail(image, "free_inodes") == listing["Free inodes"].strip()
    assert (detail(image, "clean"), detail(image, "needs_recovery"), detail(image, "errors")) == ("yes", "", "")
    assert {"64bit", "metadata_csum", "has_journal"} <= set(detail(image, "features").split())
    run("debugfs", "-w", "-R", "feature needs_recovery", image)
    assert detail(image, "needs_recovery") == "yes"


def test_details_of_luks2(tmp_path: Path) -> None:
    need("cryptsetup")
    image = blank(tmp_path / "image", 20 * MIB)
    (tmp_path / "key").write_bytes(b"secret")
    options = ("-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    run("cryptsetup", "luksFormat", *options, image, tmp_path / "key")
    run("cryptsetup", "token", "import", image, input='{"type":"clevis","keyslots":["0"],"jwe":{}}')
    sealed = '{"type":"systemd-tpm2","keyslots":["0"],"tpm2-blob":"AA==","tpm2-pcrs":[7],"tpm2-policy-hash":"00"}'
    run("cryptsetup", "token", "import", image, input=sealed)
    assert [detail(image, key) for key in ("version", "keyslots", "tokens", "kdf")] == ["2", "1", "clevis,systemd-tpm2", "pbkdf2"]


def test_details_of_ntfs(tmp_path: Path) -> None:
    need("mkntfs")
    image = blank(tmp_path / "image", 20 * MIB)
    run("mkntfs", "-Q", "-F", "-q", image)
    assert (detail(image, "version"), detail(image, "dirty")) == ("3.1", "")


def test_swap_of_a_hibernated_system(tmp_path: Path) -> None:
    image = blank(tmp_path / "image", 4 * MIB)
    run("mkswap", "-q", image)
    with image.open("r+b") as file:
        file.seek(4086)
        file.write(b"S1SUSPEND\0")
    assert probe(HostFile(str(image))).type == "swsuspend"
    assert detail(image, "hibernated") == "yes"


@pytest.mark.parametrize("data", [b"", b"\0", bytes(70_000), b"\xff" * 70_000, b"LUKS\xba\xbe\0\2", b"XFSB" + b"\xff" * 600])
def test_no_content_survives(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "image").write_bytes(data)
    probe(HostFile(str(tmp_path / "image")))
