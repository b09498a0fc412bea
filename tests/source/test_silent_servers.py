"""Servers that accept connections and then say nothing: each protocol gives up in time, and says why."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.source.servers import web
from tests.source.test_odd_servers import odd
from v2vlint.files import patience, remote
from v2vlint.files.errors import FileMissing, NoAnswer
from v2vlint.files.patience import within
from v2vlint.files.schemes import nbd, smb, stores
from v2vlint.files.sftp import _is_text
from v2vlint.guest.open import open_ref
from v2vlint.model.errors import ImageError
from v2vlint.source.expand import expand


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """The port of a server that never answers, and little patience with it."""
    for name in ("v2vlint.files.remote.PATIENCE", "v2vlint.files.patience.PATIENCE", "v2vlint.source.doors.vsphere.PATIENCE"):
        monkeypatch.setattr(name, 1.0)
    monkeypatch.setattr("v2vlint.files.sftp.PATIENCE", 0.3)
    # libnbd's binding is Debian's.
    monkeypatch.setattr(sys, "path", [*sys.path, "/usr/lib/python3/dist-packages"])
    # An ssh that has logged in, and whose server says nothing.
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(stat.S_IRWXU)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "SMB_USERNAME": "a", "SMB_PASSWORD": "b", "V2VLINT_VSPHERE_PASSWORD": "a", "V2VLINT_SSH": str(program),
        }  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield port


def told(argument: str) -> str:
    (ref,) = expand([argument])
    return " ".join(f"{problem.reason} {problem.hint}" for problem in open_ref(ref).problems)


@pytest.mark.parametrize(
    ("argument", "module"),
    [
        ("http://127.0.0.1:{}/a.qcow2", "urllib3"),
        ("https://127.0.0.1:{}/a.qcow2", "urllib3"),
        ("s3://silent/a.qcow2", "s3fs"),
        ("smb://127.0.0.1:{}/share/a.qcow2", "smbclient"),
        ("vsphere://u@127.0.0.1:{}/DC/vm/*", "pyVmomi"),
        ("nbd://127.0.0.1:{}/a", "nbd"),
    ],
)
def test_a_silent_server_does_not_hold_the_run(silent: int, argument: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    started = time.monotonic()
    assert "no answer within 1 seconds" in told(argument.format(silent))
    assert time.monotonic() - started < 20


def test_a_server_behind_ssh_that_says_nothing_is_given_up(silent: int) -> None:
    assert silent
    assert "no connection" in told("sftp://a@127.0.0.1/a.qcow2")


def test_a_server_that_did_not_answer_is_given_less_time(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SLOW", 0.5)
    monkeypatch.setattr(remote, "QUICK", 0.2)
    urls = [f"http://127.0.0.1:{silent}/{name}" for name in "abc"]
    said = []
    for url in urls:
        with pytest.raises(ImageError) as caught:
            remote.open_url(url)
        said.append(caught.value.message)
    assert [message.rpartition(" within ")[2] for message in said] == ["1 seconds", "0 seconds", "0 seconds"]


@pytest.mark.parametrize("status", [404, 403, 200])
def test_whatever_a_server_answers_ends_its_silence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int) -> None:
    (tmp_path / "a").write_bytes(b"content")
    with web(tmp_path) as server:
        server.fault = (lambda _handler: False) if status == 200 else odd(status, ("Content-Length", "0"), body=b"")
        monkeypatch.setattr(remote, "_silent", {urlsplit(server.url)[:2]})
        with contextlib.suppress(ImageError):
            remote.open_url(f"{server.url}/a")
    assert not remote._silent


def test_late_errors_are_silence_unless_they_are_answers() -> None:
    refused, missing, long_ago = ImageError("refused"), FileMissing("gone"), time.monotonic() - 60
    assert [patience.judged(one, time.monotonic()) for one in (refused, missing)] == [refused, missing]
    assert patience.judged(missing, long_ago) is missing
    assert isinstance(patience.judged(refused, long_ago), NoAnswer)


def test_a_login_that_took_long_is_no_answer_when_it_is_told_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nsleep 0.3\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("V2VLINT_SSH", str(program))
    monkeypatch.setattr(patience, "SLOW", 0.2)
    monkeypatch.setattr(remote, "_silent", set())
    for _again in "ab":
        with pytest.raises(ImageError, match="no connection"):
            remote.open_url("sftp://late/a")
        assert remote._silent == {("sftp", "late")}


@pytest.mark.parametrize(
    ("begin", "is_text"), [(b"Welc", True), (b"a\r\n\t", True), (b"\0\0\0\0", False), (b"\x7fELF", False), (b"\xffabc", False)]
)
def test_text_in_place_of_an_answer(begin: bytes, is_text: bool) -> None:
    assert _is_text(begin) is is_text


class Hung:
    """A file that answers once, and then no more until it is told to."""

    size, state = 1 << 20, ""

    def __init__(self) -> None:
        self.asked, self.answer = 0, threading.Event()

    def read(self, _offset: int, length: int) -> bytes:
        self.asked += 1
        return bytes(length) if self.asked == 1 else within("a", lambda: bytes(self.answer.wait(20)), 0.1)

    def close(self) -> None:
        self.answer.set()


def test_a_file_is_asked_no_more_once_its_server_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_silent", {("nbd", "a")})
    monkeypatch.setattr(remote, "QUICK", 0.2)
    hung, other = Hung(), Hung()
    files = [remote._Patient(one, "nbd://a/x") for one in (hung, other)]
    assert files[0].read(0, 1) == b"\0"
    assert not remote._silent
    for _again in range(3):
        with pytest.raises(NoAnswer, match="no answer within"):
            files[0].read(0, 1)
    assert hung.asked == 2
    assert remote._silent == {("nbd", "a")}
    assert files[1].read(0, 1) == b"\0"
    assert not remote._silent
    for one in files:
        one.close()


def test_an_open_file_of_a_silent_server_is_given_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_silent", {("nbd", "a")})
    monkeypatch.setattr(remote, "QUICK", 0.1)
    hung = Hung()
    hung.asked = 1
    monkeypatch.setattr(hung, "read", lambda *_range: hung.answer.wait(20))
    started = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer within 0 seconds"):
        remote._Patient(hung, "nbd://a/x").read(0, 1)
    assert time.monotonic() - started < 5
    hung.close()


def test_what_is_raised_in_time_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        within("a", lambda: int("x"), 5)
    assert within("a", os.getpid, 5) == os.getpid()


@pytest.mark.parametrize("kind", [stores._File, smb._File, nbd._Export])
def test_a_server_that_falls_silent_later_does_not_hold_the_run(
    kind: type[stores._File | smb._File | nbd._Export], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2vlint.files.patience.PATIENCE", 0.1)
    opened, answer = kind.__new__(kind), threading.Event()
    opened._name = "a"
    monkeypatch.setattr(kind, "_read", lambda *_range: answer.wait(20))
    with pytest.raises(ImageError, match="no answer within 0 seconds"):
        opened.read(0, 100)
    answer.set()
