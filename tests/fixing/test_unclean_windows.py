"""A Windows that was not shut down cleanly, as its volume says, is left alone by whoever would write."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.disk.images import run
from tests.fixing.test_session import asked
from v2vlint.fixing import session
from v2vlint.model.fix import Applicability

_VOLUME, _INFORMATION = 3, 0x70


def _mark(data: bytearray, volume: int) -> None:
    """Set the flag in $Volume, and in its mirror."""
    sector, per_cluster = struct.unpack_from("<HB", data, volume + 11)
    for place in (48, 56):
        record = volume + struct.unpack_from("<Q", data, volume + place)[0] * sector * per_cluster + _VOLUME * 1024
        at = record + struct.unpack_from("<H", data, record + 20)[0]
        while struct.unpack_from("<I", data, at)[0] != _INFORMATION:
            at += struct.unpack_from("<I", data, at + 4)[0]
        data[at + struct.unpack_from("<H", data, at + 20)[0] + 10] |= 1


@pytest.mark.parametrize("dirty", [False, True])
def test_a_windows_that_was_not_shut_down_is_left_alone(tmp_path: Path, dirty: bool) -> None:
    (sample,) = cached("windows-10-vmware")
    image = tmp_path / "windows.raw"
    run("qemu-img", "convert", "-O", "raw", sample, image)
    data = bytearray(image.read_bytes())
    at = -512
    while dirty and (at := data.find(b"NTFS    ", at + 512)) >= 0:
        if (at - 3) % 512 == 0 and data[at + 507 : at + 509] == b"\x55\xaa" and struct.unpack_from("<Q", data, at + 45)[0]:
            _mark(data, at - 3)
            break
    image.write_bytes(data)
    prepared = session.preview(asked((image,), Applicability.UNSAFE))
    reasons = {held.reason for held in prepared.held}
    assert any("not shut down cleanly" in reason for reason in reasons) is dirty
    assert prepared.has_work is not dirty
