"""Logs as people have them: raw serial lines, redirected by PowerShell, in a cloud's JSON, very long, and hostile."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.diagnosing import log
from v2vlint.diagnosing.boots import diagnose
from v2vlint.diagnosing.log import HEAD, MOST, TAIL, read
from v2vlint.model.diagnosis import Diagnosis
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.finding import Stage

PLAIN = (
    b"\x1b[2J\x1b[01;01HSeaBIOS (version 1.16.2)\r\nBooting from Hard Disk...\r\nGRUB loading.\r\n"
    b"[    0.000000] Linux version 6.1.0-9-amd64\r\n[    7.25] x\r\nLoading, please wait...\r\r\n"
    b"Gave up waiting for root file system device.  Common problems:\r\n"
    b"ALERT!  UUID=0a1b-2c3d does not exist.  Dropping to a shell!\r\n(initramfs) \x1b[6n"
)
EC2 = {"InstanceId": "i-1", "Timestamp": "2026-11-29T10:00:00Z"}
WRAPPED = {
    "plain": PLAIN,
    "utf-16": b"\xff\xfe" + PLAIN.decode("latin-1").encode("utf-16-le"),
    "utf-8 with a mark": b"\xef\xbb\xbf" + PLAIN,
    "ec2": json.dumps(EC2 | {"Output": PLAIN.decode("latin-1")}).encode(),
    "ec2 in base64": json.dumps(EC2 | {"Output": base64.b64encode(PLAIN).decode()}, indent=1).encode(),
    "gce": json.dumps({"contents": PLAIN.decode("latin-1"), "kind": "compute#serialPortOutput", "next": "12", "start": "0"}).encode(),
    "openstack": json.dumps({"output": PLAIN.decode("latin-1")}).encode(),
    "a string": json.dumps(PLAIN.decode("latin-1")).encode(),
    "base64": base64.encodebytes(PLAIN),
}


def told(data: bytes) -> Diagnosis:
    """The diagnosis of a log on stdin."""
    return diagnose("-", read("-", io.BytesIO(data)).lines(), lambda _line: ())


@pytest.mark.parametrize("data", WRAPPED.values(), ids=WRAPPED)
def test_every_wrapping_gives_the_same(data: bytes) -> None:
    found = told(data)
    assert (found.came_up, found.stage) == (False, Stage.ROOT)
    assert found.decisive
    assert (found.decisive.line, found.decisive.text) == (8, "ALERT!  UUID=0a1b-2c3d does not exist.  Dropping to a shell!")


def test_a_long_log_is_read_at_both_ends_and_keeps_its_numbers() -> None:
    filler = b"[   99.000000] nothing to see in this line at all, again and again\n" * 60_000
    assert len(filler) > HEAD + TAIL
    text = read("-", io.BytesIO(b"first\n" + filler + b"ALERT!  /dev/sda1 does not exist.  Dropping to a shell!\n"))
    assert text.skipped == len(b"first\n") + len(filler) + 56 - HEAD - TAIL
    numbered = list(text.lines())
    assert numbered[0] == (1, "first")
    assert numbered[-1] == (60_002, "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!")
    assert text.count == 60_002


def test_what_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(UsageError, match="PNG"):
        read(str(picture), io.BytesIO())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        read(str(tmp_path / "pipe"), io.BytesIO())
    with pytest.raises(ImageError, match="no such file"):
        read(str(tmp_path / "absent"), io.BytesIO())
    monkeypatch.setattr(log, "MOST", 1000)
    with pytest.raises(UsageError, match="longer than"):
        read("-", io.BytesIO(bytes(2000)))
    assert MOST == 1 << 30


@given(st.one_of(st.binary(max_size=2000), st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass"))))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_told_something(data: bytes) -> None:
    found = told(data)
    assert found.boots >= 1
    assert found.decisive is None or 1 <= found.decisive.line <= data.count(b"\n") + 1


def test_nested_json_is_text() -> None:
    assert not told(b"[" * 100_000).recognised
    assert not told(b'{"Output": {"Output": 3}}').recognised
