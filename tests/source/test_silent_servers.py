"""Servers that accept connections and then say nothing: each protocol gives up in time, and says why."""

from __future__ import annotations

import importlib.util
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2vlint.files import remote
from v2vlint.files.patience import within
from v2vlint.files.schemes import nbd, smb, stores
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
    monkeypatch.setattr(remote, "SLOW", 0.5)
    monkeypatch.setattr(remote, "QUICK", 0.2)
    urls = [f"http://127.0.0.1:{silent}/{name}" for name in "ab"]
    said = []
    for url in urls:
        with pytest.raises(ImageError) as caught:
            remote.open_url(url)
        said.append(caught.value.message)
    assert [message.rpartition(" within ")[2] for message in said] == ["1 seconds", "0 seconds"]


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
