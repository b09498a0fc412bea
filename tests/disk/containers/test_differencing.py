"""Disks that are changes of another: VHD as libvhdi reads them, VHDX as dissect does, VDI by VirtualBox's rule."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.disk.images import run
from v2vlint.disk.checksums import crc32c
from v2vlint.disk.containers.formats import open_image
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile

SIZE = 12 << 20
MIB = 1 << 20
SECTOR = 512
VHDI = """import pyvhdi, sys
files = [pyvhdi.file() for _ in sys.argv[1:]]
for file, path in zip(files, sys.argv[1:]):
    file.open(path)
for child, parent in zip(files, files[1:]):
    child.set_parent(parent)
sys.stdout.buffer.write(files[0].read_buffer_at_offset(files[0].get_media_size(), 0))"""

DISSECT = """import pathlib, sys
from dissect.hypervisor.disk.vhdx import VHDX
sys.stdout.buffer.write(VHDX(pathlib.Path(sys.argv[1])).read())"""


def opened(path: Path) -> bytes:
    stream = open_image(DiskFile(str(path), path.name)).stream
    return stream.read_at(0, stream.size)


def by_libvhdi(*paths: Path) -> bytes:
    done = subprocess.run(("/usr/bin/python3", "-c", VHDI, *paths), capture_output=True, check=False)
    if b"pyvhdi" in done.stderr:
        pytest.skip("python3-libvhdi is not installed")
    return done.stdout


def base(folder: Path, form: str, options: str = "") -> tuple[Path, bytes]:
    content = bytearray(SIZE)
    for at in range(0, SIZE, 3 << 20):
        content[at : at + (1 << 20)] = os.urandom(1 << 20)
    (folder / "raw").write_bytes(content)
    name = folder / f"base.{'vhd' if form == 'vpc' else form}"
    run("qemu-img", "convert", "-f", "raw", "-O", form, *(["-o", options] if options else []), folder / "raw", name)
    return name, bytes(content)


def changes(seed: int, size: int, step: int = 1) -> dict[int, bytes]:
    """Sectors with their new content, in runs and single ones, ``step`` at a time."""
    noise = random.Random(seed)
    starts = [noise.randrange((size // SECTOR - 300) // step) * step for _ in range(12)]
    return {start + at: noise.randbytes(SECTOR) for start in starts for at in range(noise.choice((1, 2, 33)) * step)}


def applied(content: bytes, changed: dict[int, bytes]) -> bytes:
    new = bytearray(content)
    for number, data in changed.items():
        new[number * SECTOR : (number + 1) * SECTOR] = data
    return bytes(new)


def vhd_child(path: Path, parent: Path, changed: dict[int, bytes], name: str = "") -> None:
    """A differencing VHD with blocks of 2 MiB."""
    footer = bytearray(parent.read_bytes()[-512:])
    header = bytearray(1024)
    size = struct.unpack_from(">Q", footer, 48)[0]
    block, count = 2 << 20, -(-size // (2 << 20))
    struct.pack_into(">8sQQIII", header, 0, b"cxsparse", 0xFFFFFFFFFFFFFFFF, 2048, 0x10000, count, block)
    header[40:56] = footer[68:84]
    header[64:576] = (name or parent.name).encode("utf-16-be").ljust(512, b"\0")
    relative = f".\\{name or parent.name}".encode("utf-16-le")
    struct.pack_into(">4sIIIQ", header, 576, b"W2ru", 512, len(relative), 0, 1536)
    struct.pack_into(">I", header, 36, ~sum(header) & 0xFFFFFFFF)
    struct.pack_into(">Q", footer, 16, 512)
    struct.pack_into(">I", footer, 60, 4)
    footer[68:84] = uuid.uuid4().bytes
    footer[64:68] = bytes(4)
    struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
    table, parts, at = [0xFFFFFFFF] * count, bytearray(), 4096
    for number in sorted({sector * SECTOR // block for sector in changed}):
        bitmap, data = bytearray(512), bytearray(os.urandom(block))
        for sector, new in changed.items():
            if sector * SECTOR // block == number:
                inside = sector - number * block // SECTOR
                bitmap[inside // 8] |= 0x80 >> inside % 8
                data[inside * SECTOR : (inside + 1) * SECTOR] = new
        table[number] = at // 512
        parts += bitmap + data
        at += 512 + block
    whole = bytes(footer) + bytes(header) + relative.ljust(512, b"\0") + struct.pack(f">{count}I", *table).ljust(2048, b"\xff")
    path.write_bytes(whole.ljust(4096, b"\0") + bytes(parts) + bytes(footer))


def guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


def summed(data: bytearray) -> bytes:
    struct.pack_into("<I", data, 4, 0)
    struct.pack_into("<I", data, 4, ~crc32c(0xFFFFFFFF, bytes(data)) & 0xFFFFFFFF)
    return bytes(data)


def locator(parent: Path) -> bytes:
    """Where the parent is, and the identifier of its content."""
    original = parent.read_bytes()[: 1 << 20]
    newest = max((original[at : at + 64] for at in (64 << 10, 128 << 10)), key=lambda one: int(struct.unpack_from("<Q", one, 8)[0]))
    linkage = f"{{{uuid.UUID(bytes_le=newest[32:48])}}}"
    texts = {"parent_linkage": linkage, "relative_path": f".\\{parent.name}", "absolute_win32_path": f"C:\\vm\\{parent.name}"}
    found, values = bytearray(guid("b04aefb7-d19e-4a81-b789-25b8e9445913") + struct.pack("<HH", 0, len(texts))), bytearray()
    for key, text in texts.items():
        raw, named = text.encode("utf-16-le"), key.encode("utf-16-le")
        start = 20 + 12 * len(texts) + len(values)
        found += struct.pack("<IIHH", start, start + len(named), len(named), len(raw))
        values += named + raw
    return bytes(found + values)


def metadata(parent: Path) -> bytes:
    sizes = {
        "caa16737-fa36-4d43-b3b6-33f0aa44e76b": (struct.pack("<II", MIB, 2), 4),
        "2fa54224-cd1b-4876-b211-5dbed83bf4b8": (struct.pack("<Q", SIZE), 6),
        "8141bf1d-a96f-4709-ba47-f233a8faab5f": (struct.pack("<I", 512), 6),
        "cda348c7-445d-4471-9cc9-e9885251c556": (struct.pack("<I", 512), 6),
        "beca12ab-b2e6-4523-93ef-c309e000c746": (os.urandom(16), 6), "a8d35f2d-b30b-454d-abf7-d3d84834ab0c": (locator(parent), 4),
    }  # fmt: skip
    found = bytearray(MIB)
    struct.pack_into("<8sHH", found, 0, b"metadata", 0, len(sizes))
    for number, (name, (data, flags)) in enumerate(sizes.items()):
        at = (64 << 10) + 4096 * number
        struct.pack_into("<16sIIII", found, 32 + 32 * number, guid(name), at, len(data), flags, 0)
        found[at : at + len(data)] = data
    return bytes(found)


def front() -> bytes:
    """The first MiB: signature, both headers, both region tables."""
    found, header, regions = bytearray(MIB), bytearray(4096), bytearray(64 << 10)
    struct.pack_into("<4sIQ16s16s16sHHIQ", header, 0, b"head", 0, 5, os.urandom(16), os.urandom(16), bytes(16), 0, 1, MIB, MIB)
    struct.pack_into("<4sII", regions, 0, b"regi", 0, 2)
    struct.pack_into("<16sQII", regions, 16, guid("2dc27766-f623-4200-9d64-115e9bfd4a08"), 3 * MIB, MIB, 1)
    struct.pack_into("<16sQII", regions, 48, guid("8b7ca206-4790-4b9a-b8fe-575f050f886e"), 2 * MIB, MIB, 1)
    found[:8] = b"vhdxfile"
    for place in (64, 128):
        found[place << 10 : (place << 10) + 4096] = summed(header)
        struct.pack_into("<Q", header, 8, 6)
    for place in (192, 256):
        found[place << 10 : (place + 64) << 10] = summed(regions)
    return bytes(found)


def vhdx_child(path: Path, parent: Path, changed: dict[int, bytes], own: int = -1, zero: int = -1) -> None:
    """A differencing VHDX with blocks of 1 MiB: the block ``own`` is in it as a whole, ``zero`` is all zeros."""
    ratio = 4096
    table, bitmap, payload = [0] * (ratio + 1), bytearray(MIB), bytearray()
    for number in range(SIZE // MIB):
        data = bytearray(b"\x55" * MIB if number == own else os.urandom(MIB))
        inside = {sector: new for sector, new in changed.items() if sector * SECTOR // MIB == number}
        for sector, new in inside.items():
            at = sector * SECTOR - number * MIB
            data[at : at + SECTOR] = new
            bitmap[sector // 8] |= 1 << sector % 8
        if inside or number == own:
            table[number] = (5 + len(payload) // MIB) << 20 | (6 if number == own else 7)
            payload += data
    if zero >= 0:
        table[zero] = 2
    table[ratio] = 4 << 20 | 6
    entries = struct.pack(f"<{ratio + 1}Q", *table).ljust(MIB, b"\0")
    path.write_bytes(b"".join((front(), bytes(MIB), metadata(parent), entries, bitmap, payload)))


@pytest.mark.parametrize("step", [1, 8])
@pytest.mark.parametrize("options", ["subformat=fixed,force_size=on", "force_size=on"])
def test_a_chain_of_vhd(tmp_path: Path, options: str, step: int) -> None:
    """libvhdi 20210425 takes what follows a run within eight sectors for changed, too: it is asked about whole eights only."""
    parent, content = base(tmp_path, "vpc", options)
    for number, name in enumerate(("one.avhd", "two.avhd")):
        changed = changes(number, SIZE, step)
        vhd_child(tmp_path / name, parent, changed)
        content, parent = applied(content, changed), tmp_path / name
    assert opened(parent) == content
    if step == 8:
        assert by_libvhdi(parent, tmp_path / "one.avhd", tmp_path / "base.vhd")[: len(content)] == content


@pytest.mark.parametrize("depth", [1, 2])
def test_a_chain_of_vhdx(tmp_path: Path, depth: int) -> None:
    """dissect.hypervisor 3.21 loses its place in reads of parts of a block, as those of a parent are: it is asked about one level."""
    pytest.importorskip("dissect.hypervisor.disk.vhdx")
    parent, content = base(tmp_path, "vhdx")
    for number, name in enumerate(("one.avhdx", "two.avhdx")[:depth]):
        changed = {sector: data for sector, data in changes(number + 7, SIZE).items() if sector * SECTOR >> 20 != 9}
        vhdx_child(tmp_path / name, parent, changed, own=4, zero=9)
        new = bytearray(content)
        new[4 << 20 : 5 << 20], new[9 << 20 : 10 << 20] = b"\x55" * MIB, bytes(MIB)
        content, parent = applied(bytes(new), changed), tmp_path / name
    assert opened(parent) == content
    if depth == 1:
        assert subprocess.run((sys.executable, "-c", DISSECT, parent), capture_output=True, check=True).stdout == content


@pytest.mark.parametrize("form", ["vpc", "vhdx"])
def test_another_parent_is_refused(tmp_path: Path, form: str) -> None:
    parent, _content = base(tmp_path, form)
    child = tmp_path / "child"
    (vhd_child if form == "vpc" else vhdx_child)(child, parent, changes(1, SIZE))
    base(tmp_path, form)
    with pytest.raises(ImageError, match="is another disk, or was changed since"):
        opened(child)
    parent.unlink()
    with pytest.raises(ImageError, match=r"its parent .* is missing"):
        opened(child)


def test_a_parent_outside_the_folder_is_not_opened(tmp_path: Path) -> None:
    parent, _content = base(tmp_path, "vpc")
    (tmp_path / "guest").mkdir()
    vhd_child(tmp_path / "guest/child.vhd", parent, changes(1, SIZE), name="..\\base.vhd")
    with pytest.raises(ImageError, match="outside its folder"):
        opened(tmp_path / "guest/child.vhd")


def test_a_vdi_needs_somebody_who_knows_its_parent(tmp_path: Path) -> None:
    parent, content = base(tmp_path, "vdi")
    original = parent.read_bytes()
    data = bytearray(original)
    struct.pack_into("<I", data, 76, 4)
    data[392:408], data[424:440] = uuid.uuid4().bytes, original[392:408]
    start = struct.unpack_from("<I", data, 340)[0]
    own, zero = 3, 4
    for number in range(SIZE >> 20):
        if number != own:
            struct.pack_into("<I", data, start + 4 * number, 0xFFFFFFFE if number == zero else 0xFFFFFFFF)
    (tmp_path / "child.vdi").write_bytes(data)
    with pytest.raises(Unsupported, match="by an identifier only") as refused:
        opened(tmp_path / "child.vdi")
    assert ".vbox" in refused.value.hint
    name = str(uuid.UUID(bytes_le=original[392:408]))
    known = DiskFile(str(parent), f"{parent}/{name}")
    stream = open_image(DiskFile(str(tmp_path / "child.vdi"), "child.vdi", siblings=(known,))).stream
    expected = content[: zero << 20] + bytes(1 << 20) + content[(zero + 1) << 20 :]
    assert stream.read_at(0, SIZE) == expected
