"""The identities of contents are those that blkid(8) prints."""

from __future__ import annotations

import json
import os
import random
import shlex
import struct
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.formats import FORMATS
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.filesystems.probe_fat import FatLayout
from v2vlint.disk.stream import HostFile, MemoryStream

MIB = 1 << 20
FORMATS_BY_PROBE = {one.probe: one.types for one in FORMATS}
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
    "f2fs": (64, "mkfs.f2fs -q -l größe IMAGE"),
    "vfat 32 of few clusters": (34, "mkfs.vfat -F 32 -s 1 -n SMALL -i 01020304 IMAGE"),
    "vfat 32 of 4096-byte sectors": (260, "mkfs.vfat -F 32 -S 4096 -s 1 -n ESP IMAGE"),
    "vfat with an empty label": (20, "mkfs.vfat -n NO-NAME IMAGE"),
    "exfat of large clusters": (64, "mkfs.exfat -c 1M -L wörter IMAGE"),
    "jfs": (32, "mkfs.jfs -q -L data IMAGE"),
    "reiserfs": (64, f"mkreiserfs -q -f -f -l data -u {UUID} IMAGE"),
    "nilfs2": (160, "mkfs.nilfs2 -q -L data IMAGE"),
    "udf": (16, "mkudffs -b 2048 --label=Größe IMAGE"),
    "udf of a disk": (16, "mkudffs -b 512 --label=DISK --uuid=0123456789abcdef IMAGE"),
    "bcache": (16, "make-bcache -B IMAGE"),
    "gfs2": (256, "mkfs.gfs2 -q -O -p lock_nolock -j 1 -t cluster:data -J 8 IMAGE"),
    "ocfs2": (300, "mkfs.ocfs2 -q -F -L data --cluster-stack=o2cb --cluster-name=c --global-heartbeat IMAGE"),
    "erofs": (16, "mkfs.erofs -U 0f3c5e3c-9f0b-4f0e-8a2f-5a3a4a0b7f11 IMAGE FOLDER"),
    "minix 1": (8, "mkfs.minix -1 IMAGE"),
    "minix 2": (8, "mkfs.minix -2 IMAGE"),
    "minix 3": (8, "mkfs.minix -3 IMAGE"),
    "bfs": (1, "mkfs.bfs -F abc -V vol IMAGE"),
    "cache of bcache": (64, "make-bcache -C IMAGE"),
    "backing device of bcache with an offset": (16, "make-bcache -B --data-offset 2048 IMAGE"),
    "udf of an older revision": (16, "mkudffs -b 512 --udfrev=1.50 --lvid=L --vid=V --fsid=F --uuid=0123456789abcdef IMAGE"),
    "udf of a blank disc": (64, "mkudffs -m cdr --label=Größe IMAGE"),
    "ocfs2 of small blocks": (300, f"mkfs.ocfs2 -q -F -b 512 -C 8192 -L data -U {UUID} --fs-features=local IMAGE"),
    "gfs2 of small blocks": (256, "mkfs.gfs2 -q -O -p lock_nolock -j 1 -J 8 -b 512 IMAGE"),
    "nilfs2 with a long label": (160, f"mkfs.nilfs2 -q -b 1024 -L {80 * 'n'} IMAGE"),
    "jfs without label": (32, "mkfs.jfs -q IMAGE"),
    "reiserfs 3.5": (64, "mkreiserfs -q -f -f --format 3.5 IMAGE"),
    "f2fs of large sectors": (64, "mkfs.f2fs -q -w 4096 IMAGE"),
    "exfat without label": (16, "mkfs.exfat IMAGE"),
    "ntfs of large sectors": (20, "mkntfs -Q -F -q -s 4096 -c 65536 -L größe IMAGE"),
    "vfat 32 of large clusters": (300, "mkfs.vfat -F 32 -S 4096 -s 8 -n BIGC IMAGE"),
    "vfat 16 of 4096-byte sectors": (80, "mkfs.vfat -F 16 -S 4096 -n K4 IMAGE"),
    "swap of large pages": (8, "mkswap -q -p 65536 -L big IMAGE"),
    "xfs of large sectors": (320, "mkfs.xfs -q -s size=4096 -L 123456789012 IMAGE"),
    "btrfs with another checksum": (128, "mkfs.btrfs -q --csum xxhash -n 4096 -s 4096 IMAGE"),
    "luks1": (4, "cryptsetup luksFormat --type luks1 -q --pbkdf-force-iterations 1000 IMAGE KEY"),
    "luks2": (20, "cryptsetup luksFormat --type luks2 -q --label vault --pbkdf pbkdf2 --pbkdf-force-iterations 1000 IMAGE KEY"),
}
OURS_ONLY = {"external journal": {"UUID", "LABEL"}}


def blkid(image: Path) -> Content:
    kind, uuid, label = (run("blkid", "-p", "-o", "value", "-s", tag, image).removesuffix("\n") for tag in ("TYPE", "UUID", "LABEL"))
    return Content(kind, uuid, label)


@pytest.mark.parametrize("name", MADE)
def test_as_blkid(tmp_path: Path, name: str) -> None:
    size, command = MADE[name]
    image = blank(tmp_path / "image", size * MIB)
    (tmp_path / "key").write_bytes(b"secret")
    words = shlex.split(command.replace("IMAGE", str(image)).replace("KEY", str(tmp_path / "key")).replace("FOLDER", str(tmp_path)))
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


@pytest.mark.parametrize(
    "options",
    [("ext2", ""), ("ext3", ""), ("ext4", ""), ("ext4", "inline_data,large_dir"), ("ext4", "casefold,encrypt"), ("ext4", "verity,bigalloc"),
     ("ext4", "metadata_csum_seed,^has_journal"), ("ext4", "sparse_super2,meta_bg,^resize_inode"), ("ext4", "^dir_index,^flex_bg,^64bit")],
)  # fmt: skip
@pytest.mark.parametrize("block", [1024, 4096])
def test_features_and_sizes_of_ext_are_those_of_dumpe2fs(tmp_path: Path, options: tuple[str, str], block: int) -> None:
    image = blank(tmp_path / "image", 16 * MIB)
    run("mke2fs", "-q", "-F", "-t", options[0], "-b", str(block), *(["-O", options[1]] if options[1] else []), image)
    listing = dict(line.split(":", 1) for line in run("dumpe2fs", "-h", image).splitlines() if ":" in line)
    told = set(listing["Filesystem features"].replace("extents", "extent").split()) & EXT_FEATURES
    assert set(detail(image, "features").split()) == told
    assert [int(detail(image, key)) for key in ("block_size", "fs_size", "free")] == [
        block, int(listing["Block count"]) * block, int(listing["Free blocks"]) * block,
    ]  # fmt: skip
    assert (detail(image, "inodes"), detail(image, "free_inodes")) == (listing["Inode count"].strip(), listing["Free inodes"].strip())


EXT_FEATURES = {
    "has_journal", "dir_index", "sparse_super2", "orphan_file", "meta_bg", "extent", "64bit", "flex_bg", "metadata_csum_seed", "large_dir",
    "inline_data", "encrypt", "casefold", "bigalloc", "metadata_csum", "verity",
}  # fmt: skip


def test_sizes_beyond_32_bits(tmp_path: Path) -> None:
    """The upper halves count with the feature ``64bit`` alone (``ext4_blocks_count``)."""
    image = blank(tmp_path / "image", 16 * MIB)
    for feature, more in (("64bit", 1 << 32), ("^64bit", 0)):
        run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", feature, image)
        low = [int(detail(image, key)) for key in ("fs_size", "free")]
        with image.open("r+b") as file:
            for place in (1024 + 0x150, 1024 + 0x158):
                file.seek(place)
                file.write((1).to_bytes(4, "little"))
        assert [int(detail(image, key)) for key in ("fs_size", "free")] == [one + more * 4096 for one in low]


def _told_by_the_kernel(image: Path, counted: int) -> int:
    """The free bytes of a mounted filesystem; where mounting is not possible, what we say, which is less than what is counted."""
    point = image.with_suffix(".mounted")
    point.mkdir()
    if subprocess.run(["mount", "-o", "loop", image, point], capture_output=True, check=False).returncode:
        ours = int(detail(image, "free"))
        assert ours < counted
        return ours
    try:
        told = os.statvfs(point)
        return told.f_bfree * told.f_frsize
    finally:
        run("umount", point)


def test_details_of_btrfs_and_xfs(tmp_path: Path) -> None:
    need("mkfs.btrfs", "mkfs.xfs", "xfs_db")
    image = blank(tmp_path / "btrfs", 128 * MIB)
    run("mkfs.btrfs", "-q", "-K", "-n", "8192", image)
    assert detail(image, "uuid_sub") == run("blkid", "-p", "-o", "value", "-s", "UUID_SUB", image).strip()
    told = {
        line.split()[0]: line.split()[1]
        for line in run("btrfs", "inspect-internal", "dump-super", image).splitlines()
        if len(line.split()) > 1
    }
    used = int(told["total_bytes"]) - int(told["bytes_used"])
    assert [detail(image, key) for key in ("fs_size", "node_size", "block_size", "devices", "free")] == [
        told["dev_item.total_bytes"], "8192", "4096", "1", str(used),
    ]  # fmt: skip
    image = blank(tmp_path / "xfs", 320 * MIB)
    run("mkfs.xfs", "-q", "-K", "-b", "size=2048", image)
    told = dict(line.split(" = ") for line in run("xfs_db", "-r", "-c", "sb 0", "-c", "p", image).splitlines())
    assert [detail(image, key) for key in ("block_size", "fs_size", "free", "inodes", "free_inodes", "version", "sector_size")] == [
        "2048", str(int(told["dblocks"]) * 2048), str(_told_by_the_kernel(image, int(told["fdblocks"]) * 2048)),
        told["icount"], told["ifree"], "5", told["sectsize"],
    ]  # fmt: skip
    assert {"finobt", "ftype", "sparse", "bigtime"} <= set(detail(image, "features").split())


@pytest.mark.parametrize(
    "options",
    [("-V", "PLAIN"), ("-J", "-V", "Mixed Label"), ("-J", "-V", "A_b c"), ("-J", "-V", "A rather long label of thirty"),
    ("-J", "-V", "grün"), ("-J",),
     ("-J", "-R", "-V", "UP_and Down")],
    ids=" ".join,
)  # fmt: skip
def test_labels_of_iso(tmp_path: Path, options: tuple[str, ...]) -> None:
    need("genisoimage")
    (tmp_path / "top").mkdir()
    run("genisoimage", "-quiet", "-input-charset", "utf-8", *options, "-o", tmp_path / "image", tmp_path / "top")
    found, wanted = probe(HostFile(str(tmp_path / "image"))), blkid(tmp_path / "image")
    assert (found.type, found.uuid, found.label) == (wanted.type, wanted.uuid, wanted.label)


def test_a_short_device_is_tried_by_all() -> None:
    """What a probe cannot unpack is not its content, and no reason to stop."""
    assert probe(MemoryStream(b"dmvdo001" + bytes(8))).type == "vdo"
    assert probe(MemoryStream(b"dmvdo001".ljust(40) + bytes(range(16)))).uuid == "00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_details_of_luks2(tmp_path: Path) -> None:
    need("cryptsetup")
    image = blank(tmp_path / "image", 20 * MIB)
    (tmp_path / "key").write_bytes(b"secret")
    options = ("-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    run("cryptsetup", "luksFormat", *options, image, tmp_path / "key")
    run("cryptsetup", "token", "import", image, input='{"type":"clevis","keyslots":["0"],"jwe":{}}')
    sealed = '{"type":"systemd-tpm2","keyslots":["0"],"tpm2-blob":"AA==","tpm2-pcrs":[7],"tpm2-policy-hash":"00"}'
    run("cryptsetup", "token", "import", image, input=sealed)
    assert [detail(image, key) for key in ("version", "keyslots", "tokens", "kdf")] == ["2", "1", "clevis:0,systemd-tpm2:0", "pbkdf2"]


def test_a_luks2_token_outlives_its_key_slot(tmp_path: Path) -> None:
    need("cryptsetup")
    image, weak = blank(tmp_path / "image", 20 * MIB), ("-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_bytes(b"secret")
    other.write_bytes(b"sealed")
    run("cryptsetup", "luksFormat", *weak, "--type", "luks2", image, key)
    for more in ((), (), ("--unbound", "--key-size", "256")):
        run("cryptsetup", "luksAddKey", *weak, *more, *(() if more else ("--key-file", key)), image, other)
    for slot, kind in (("1", "systemd-tpm2"), ("2", "clevis"), ("3", "other")):
        sealed = {"type": kind, "keyslots": [slot], "jwe": {}, "tpm2-blob": "AA==", "tpm2-pcrs": [7], "tpm2-policy-hash": "00"}
        run("cryptsetup", "token", "import", image, input=json.dumps(sealed))
    assert [detail(image, key) for key in ("opening", "tokens")] == ["0,1,2", "systemd-tpm2:1,clevis:2"]
    run("cryptsetup", "luksKillSlot", "-q", "--key-file", key, image, "1")
    told = [detail(image, key) for key in ("keyslots", "opening", "tokens")]
    assert told == ["3", "0,2", "clevis:2"]


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


def _words(data: bytes, letter: str) -> int:
    return sum(struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data))


def _member(kind: str) -> tuple[int, bytes]:
    """Sectors before the end, and what a member of the firmware RAID has there."""
    sector = bytearray(512)
    if kind == "silicon_medley_raid_member":
        sector[0x60:0x64] = b"\0\0\0\x2f"
        struct.pack_into("<H", sector, 0x13E, -_words(bytes(sector[:0x13E]), "H") & 0xFFFF)
    elif kind == "via_raid_member":
        sector[:4] = b"\x55\xaa\x01\x07"
        sector[50] = sum(sector[:50]) & 0xFF
    elif kind == "nvidia_raid_member":
        sector[:12] = b"NVIDIA  " + struct.pack("<I", 30)
        struct.pack_into("<I", sector, 12, -_words(bytes(sector[:120]), "I") & 0xFFFFFFFF)
        return 2, bytes(sector)
    elif kind == "jmicron_raid_member":
        sector[:2] = b"JM"
        struct.pack_into("<H", sector, 4, -_words(bytes(sector[:128]), "H") & 0xFFFF)
    elif kind == "adaptec_raid_member":
        sector[:4], sector[256:260] = b"\x37\xfc\x4d\x1e", b"DPTM"
    else:
        plain = {
            "isw_raid_member": (2, b"Intel Raid ISM Cfg Sig. 1.0.00"),
            "lsi_mega_raid_member": (1, b"$XIDE$"),
            "promise_fasttrack_raid_member": (63, b"Promise Technology, Inc."),
            "hpt45x_raid_member": (11, b"\xf3\x16\x78\x5a"),
        }
        back, magic = plain[kind]
        return back, magic
    return 1, bytes(sector)


@pytest.mark.parametrize("kind", sorted({*FORMATS_BY_PROBE["probe_raid:firmware_raid"]} - {"ddf_raid_member"}))
def test_members_of_firmware_raid(tmp_path: Path, kind: str) -> None:
    image = blank(tmp_path / "image", 4 * MIB)
    back, sector = _member(kind)
    with image.open("r+b") as file:
        file.seek(-512 * back, 2)
        file.write(sector)
    assert probe(HostFile(str(image))).type == blkid(image).type == kind
    with image.open("r+b") as file:
        file.seek(-512 * back, 2)
        file.write(bytes(reversed(sector)))
    assert probe(HostFile(str(image))).type == ""


@pytest.mark.parametrize("seed", range(24))
def test_labels_among_the_entries_of_a_fat_root_folder(tmp_path: Path, seed: int) -> None:
    """Deleted entries, long names, folders, entries with content, a label written by hand: the first that counts, as for blkid."""
    draw = random.Random(seed)
    wide = draw.random() < 0.5
    image = blank(tmp_path / "image", (34 if wide else 20) * MIB)
    run("mkfs.vfat", "-F", "32" if wide else "16", "-s", "1" if wide else draw.choice(("1", "2")), "-n", "BOOTSECTOR", image)
    names = (b"NO NAME    ", b"\xe5LETED     ", b"\x05UEROPA    ", b"GR\x99\xe1E      ", b"ESP        ", b"           ")
    entries = b""
    for _number in range(draw.randint(0, 6)):
        entry = bytearray(draw.choice(names) + bytes([draw.choice((0x08, 0x0F, 0x10, 0x18, 0x20, 0x28))]) + bytes(20))
        entry[26] = draw.choice((0, 0, 5))
        entries += bytes(entry)
    layout = FatLayout.read(image.read_bytes()[:512])
    assert layout is not None
    with image.open("r+b") as file:
        file.seek(layout.data_at if wide else layout.root_at)
        file.write(entries + bytes(512))
    found, wanted = probe(HostFile(str(image))), raw_label(image)
    assert found.label.encode("utf-8", "surrogateescape") == wanted


def raw_label(image: Path) -> bytes:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "LABEL", str(image)], env=environment, capture_output=True, check=False
    ).stdout.removesuffix(b"\n")


@pytest.mark.parametrize(
    ("place", "data", "wanted"),
    [
        (4096, b"SPB5" + bytes(344) + bytes(range(16)), ("nss", "00010203-0405-0607-0809-0a0b0c0d0e0f", "")),
        (0, b"\x45\x3d\xcd\x28" + bytes(44) + b"crammed", ("cramfs", "", "crammed")),
        (0, b"-rom1fs-" + bytes(8) + b"rom", ("romfs", "", "rom")),
        (0, b"UBI#" + bytes(20) + (7).to_bytes(4, "big"), ("ubi", "7", "")),
        (1024, b"BD" + bytes(34) + b"\4Disk" + bytes(140), ("hfs", "", "Disk")),
        (1024, b"BD" + bytes(122) + b"H+" + bytes(60), ("hfsplus", "", "")),
        (2 << 20, b"\x5e\xf1\xab\x2f" + bytes(5) + bytes(range(16)) + bytes(4) + b"datastore1",
         ("VMFS", "03020100-07060504-0908-0a0b0c0d0e0f", "datastore1")),
        (0, b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c" + bytes(4078) + b"SWAPSPACE2", ("swsuspend", "", "")),
        (1024, bytes.fromhex("400064000100010006000000001c08108f130100"), ("minix", "", "")),
    ],
)  # fmt: skip
def test_what_is_named_without_a_reader(place: int, data: bytes, wanted: tuple[str, str, str]) -> None:
    found = probe(MemoryStream(bytes(place) + data + bytes(3 << 20)))
    assert (found.type, found.uuid, found.label) == wanted


def test_a_pool_of_zfs_has_a_name_and_a_number() -> None:
    name = b"\0\0\0\x04name\0\0\0\x09\0\0\0\x01\0\0\0\x04tank"
    guid = b"\0\0\0\x09pool_guid\0\0\0\0\0\0\x08\0\0\0\x01" + (1782036546311300980).to_bytes(8, "big")
    data = bytearray(512 << 10)
    data[16 << 10 : (16 << 10) + len(name + guid)] = name + guid
    data[128 << 10 : (128 << 10) + 8] = b"\x0c\xb1\xba\0\0\0\0\0"
    found = probe(MemoryStream(bytes(data)))
    assert (found.type, found.uuid, found.label) == ("zfs_member", "1782036546311300980", "tank")
