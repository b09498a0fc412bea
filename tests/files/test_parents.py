"""Differencing VHD and VHDX name their parent in locators: whatever these say, no file outside the folder is opened."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest

from tests.disk.images import need, run
from tests.fuzz.mutate import sum_up
from v2vlint.disk.containers.formats import open_image
from v2vlint.files import FilePolicy, Opened
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile

NAMES = (
    "parent.img", ".\\parent.img", "..\\victim.img", "C:\\vm\\parent.img", "\\\\host\\share\\parent.img", "/etc/passwd",
    "\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\parent.img", "//host/share/x", "file:///etc/passwd", "json:{}",
)  # fmt: skip
PLATFORMS = ("W2ku", "W2ru", "Wi2k", "Wi2r", "Mac ", "MacX")
_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_VHDX_TYPE = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913").bytes_le


class Watched:
    """A policy that remembers what it handed out."""

    def __init__(self, policy: FilePolicy) -> None:
        self.policy, self.given = policy, set[str]()

    def open(self, path: str) -> Opened:
        opened = self.policy.open(path)
        self.given.add(opened.real)
        return opened


def _given(image: Path) -> set[str]:
    """What is opened for an image that cannot be read: its parent is none, or elsewhere."""
    files = Watched(FilePolicy.naming([str(image)]))
    with pytest.raises(ImageError):
        open_image(DiskFile(str(image), image.name), files).stream.read_at(0, 512)
    return files.given


def _bundle(tmp_path: Path, kind: str, *options: str) -> Path:
    need("qemu-img")
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in (folder / "parent.img", tmp_path / "victim.img"):
        path.write_bytes(b"another guest" * 10_000)
    run("qemu-img", "create", "-q", "-f", kind, *options, folder / "disk", "8M")
    return folder / "disk"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", NAMES)
def test_the_parent_of_a_vhd(tmp_path: Path, platform: str, name: str) -> None:
    image = _bundle(tmp_path, "vpc", "-o", "subformat=dynamic")
    data = bytearray(image.read_bytes())
    encoding = {"u": "utf-16-le", "i": "latin-1", " ": "latin-1", "X": "utf-8"}.get(platform[-1], "latin-1")
    locator = name.encode(encoding)
    for footer in (0, len(data) - 512):
        struct.pack_into(">I", data, footer + 60, 4)
    data[512 + 64 : 512 + 64 + 512] = name.encode("utf-16-be").ljust(512, b"\0")
    struct.pack_into(">4sIIIQ", data, 512 + 576, platform.encode(), 512, len(locator), 0, len(data) - 512)
    data[-512:-512] = locator.ljust(512, b"\0")
    sum_up(data, "vhd")
    image.write_bytes(data)
    assert {str(image)} <= _given(image) <= {str(image), str(image.parent / "parent.img")}


@pytest.mark.parametrize("key", ["relative_path", "volume_path", "absolute_win32_path", "parent_linkage"])
@pytest.mark.parametrize("name", NAMES)
def test_the_parent_of_a_vhdx(tmp_path: Path, key: str, name: str) -> None:
    image = _bundle(tmp_path, "vhdx")
    data = bytearray(image.read_bytes())
    at = data.index(b"metadata")
    count = struct.unpack_from("<H", data, at + 10)[0]
    parameters = at + struct.unpack_from("<I", data, at + 32 + 16)[0]
    struct.pack_into("<I", data, parameters + 4, struct.unpack_from("<I", data, parameters + 4)[0] | 2)
    words = [key.encode("utf-16-le"), name.encode("utf-16-le")]
    entry = struct.pack("<16sHHIIHH", _VHDX_TYPE, 0, 1, 32, 32 + len(words[0]), *map(len, words)) + b"".join(words)
    place = (96 << 10) + (len(entry) & ~7)
    data[at + place : at + place + len(entry)] = entry
    struct.pack_into("<16sIII", data, at + 32 + 32 * count, _LOCATOR, place, len(entry), 4)
    struct.pack_into("<H", data, at + 10, count + 1)
    image.write_bytes(data)
    assert {str(image)} <= _given(image) <= {str(image), str(image.parent / "parent.img")}
