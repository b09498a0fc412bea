"""Web servers that answer oddly, slowly, or for another: each ends in time, with its reason."""

from __future__ import annotations

import contextlib
import gzip
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.source.servers import Handler, WebServer, certificate, web
from v2vlint.files.schemes.http import _Answer
from v2vlint.guest.open import open_ref
from v2vlint.source.expand import expand


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (image,) = cached("debian-portable")
    (tmp_path / "served/vm").mkdir(parents=True)
    (tmp_path / "served/vm/base.qcow2").write_bytes(Path(image).read_bytes())
    return tmp_path / "served"


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr("v2vlint.files.schemes.http.BACK_OFF", 0.0)
    with web(folder) as found:
        yield found


def told(url: str) -> str:
    (ref,) = expand([url])
    return " ".join(f"{problem.reason} {problem.hint}" for problem in open_ref(ref).problems)


def odd(status: int, *headers: tuple[str, str], body: bytes = b"x" * 100) -> Callable[[Handler], bool]:
    """A server that answers like this."""

    def fault(handler: Handler) -> bool:
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return fault


LENGTH, RANGE = ("Content-Length", "100"), ("Content-Range", "bytes 0-99/100000")


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (odd(206, LENGTH, RANGE), "sends less than it was asked for"),
        (odd(206, LENGTH), "another range"),
        (odd(206, LENGTH, ("Content-Range", "bytes 0-99/*")), "another range"),
        (odd(206, LENGTH, ("Content-Range", "bytes 50-149/100000")), "another range"),
        (odd(206, LENGTH, RANGE, ("Content-Encoding", "gzip")), "sends it compressed (gzip)"),
        (odd(200, LENGTH, ("Content-Encoding", "br")), "sends it compressed (br)"),
        (odd(200, ("Content-Length", "1000")), "no answer after 5 attempts"),
        (odd(200, ("Transfer-Encoding", "chunked"), body=b"zz\r\n"), "no answer after 5 attempts"),
        (odd(302, ("Content-Length", "100")), "answers with 302"),
        (odd(302, LENGTH, ("Location", "/vm/base.qcow2")), "too many redirects"),
        (odd(302, LENGTH, ("Location", "file:///etc/passwd")), "No host specified"),
        (odd(416, LENGTH, body=b"y" * 100), "empty"),
    ],
)  # fmt: skip
def test_odd_answers_are_told(server: WebServer, fault: Callable[[Handler], bool], wanted: str) -> None:
    server.fault = fault
    said = told(f"{server.url}/vm/base.qcow2?X-Signature=geheim")
    assert wanted in said
    assert "geheim" not in said


def test_a_compressed_file_with_the_header_that_apache_adds(server: WebServer) -> None:
    data = gzip.compress((server.folder / "vm/base.qcow2").read_bytes())
    server.fault = lambda handler: handler.reply(200, data, Content_Encoding="x-gzip")
    assert "sends it compressed" not in told(f"{server.url}/vm/base.qcow2.gz")


def test_a_body_in_chunks(server: WebServer) -> None:
    def fault(handler: Handler) -> bool:
        first, last = map(int, re.findall(r"\d+", handler.headers["Range"]))
        data = (server.folder / handler.path[1:]).read_bytes()
        part = data[first : last + 1]
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(part), 5000):
            chunk = part[at : at + 5000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")
        return True

    server.fault = fault
    assert not told(f"{server.url}/vm/base.qcow2")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-99/100000\r\nContent-Length: 100000\r\n\r\n"])
def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_the_run(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr("v2vlint.files.schemes.http.PATIENCE", 0.5)

    def fault(handler: Handler) -> bool:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.wfile.write(head)
            for _byte in range(900):
                handler.wfile.write(b"H")
                time.sleep(0.1)
        return True

    server.fault = fault
    started = time.monotonic()
    assert "less than 16 KiB a second" in told(f"{server.url}/vm/base.qcow2")
    assert time.monotonic() - started < 60


def test_the_login_of_one_server_is_not_sent_to_another(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    (tmp_path / ".netrc").write_text("machine localhost login me password geheim\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: dict[str, list[str]] = {"first": [], "other": []}
    with web(folder, place) as first, web(folder, place) as other:

        def redirect(handler: Handler) -> bool:
            seen["first"].append(handler.headers.get("Authorization", ""))
            return handler.reply(302, Location=f"https://127.0.0.1:{other.server_address[1]}{handler.path}")

        def note(handler: Handler) -> bool:
            seen["other"].append(handler.headers.get("Authorization", ""))
            return False

        first.fault, other.fault = redirect, note
        assert not told(f"https://localhost:{first.server_address[1]}/vm/base.qcow2")
    assert all(seen["first"])
    assert seen["other"]
    assert not any(seen["other"])


def test_a_connection_may_be_given_back_while_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v2vlint.files.schemes.http.PATIENCE", 0.05)
    done = threading.Event()

    class Released:
        status, headers, retries = 206, dict[str, str](), None

        def read(self, _size: int, **_options: object) -> bytes:
            done.wait(10)
            return b""

        def shutdown(self) -> None:
            done.set()
            raise ValueError("the connection is not this response's any more")

        def release_conn(self) -> None:
            """As urllib3's."""

    assert _Answer(Released, {206: 1}).arrived() is False
    assert done.is_set()
