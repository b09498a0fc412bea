"""Real servers on the loopback: HTTP with ranges and with faults, sshd."""

from __future__ import annotations

import contextlib
import getpass
import http.server
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.programs import running

Fault = Callable[["Handler"], bool]
sshd = pytest.mark.skipif(shutil.which("sshd", path="/usr/sbin") is None or os.geteuid() != 0, reason="sshd is not installed, or not root")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves files of ``server.folder`` in ranges; ``server.fault`` may answer first."""

    protocol_version = "HTTP/1.1"
    server: WebServer

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def reply(self, status: int, data: bytes = b"", **headers: str) -> bool:
        """One answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return True

    def do_GET(self) -> None:
        """Answer with the fault, or a range."""
        self.server.asked.append(self.path)
        if self.server.fault(self):
            return
        path = self.server.folder / unquote(self.path.partition("?")[0]).lstrip("/")
        if not path.is_file():
            self.reply(404)
            return
        first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
        with path.open("rb") as stream:
            stream.seek(first)
            part = stream.read(last + 1 - first)
        self.server.sent += len(part)
        self.reply(206, part, ETag=self.server.etag, Content_Range=f"bytes {first}-{first + len(part) - 1}/{path.stat().st_size}")


class WebServer(http.server.ThreadingHTTPServer):
    """The server with what it was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.asked, self.sent, self.etag = folder, list[str](), 0, '"1"'
        self.fault: Fault = lambda _handler: False

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


def certificate(folder: Path) -> Path:
    """A file with the certificate of this host and its key; ``certificate`` beside it is without the key."""
    command: tuple[str, ...] = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    command += ("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    command += ("-keyout", str(folder / "key"), "-out", str(folder / "certificate"))
    subprocess.run(command, check=True, capture_output=True)
    place = folder / "server.pem"
    place.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return place


@contextlib.contextmanager
def web(folder: Path, certificate: Path | None = None) -> Iterator[WebServer]:
    """A server of ``folder``; with TLS when it has a ``certificate``, which has its key in the same file."""
    with WebServer(folder) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(place: int | Path) -> None:
    """Until somebody listens on a port, or on the socket of a path."""
    for _attempt in range(1200):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX if isinstance(place, Path) else socket.AF_INET) as one:
            one.settimeout(1)
            one.connect(str(place) if isinstance(place, Path) else ("127.0.0.1", place))
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {place}")


@contextlib.contextmanager
def secure_shell(folder: Path, *more: str) -> Iterator[tuple[str, str]]:
    """An sshd of our own, with ``more`` settings: ``user@host:port``, and the ssh command that has its key and knows it."""
    for name in ("host", "user"):
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)), check=True)
    port = free_port()
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    settings = (
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized", "StrictModes no",
        "PermitRootLogin yes", "PasswordAuthentication no", "UsePAM no", "PidFile none", "Subsystem sftp internal-sftp", *more,
    )  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(settings))
    Path("/run/sshd").mkdir(exist_ok=True)
    with running(("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")), stderr=subprocess.DEVNULL):
        wait_for(port)
        command = f"ssh -F none -i {folder}/user -oUserKnownHostsFile={folder}/known -oStrictHostKeyChecking=yes"
        yield f"{getpass.getuser()}@127.0.0.1:{port}", command


@contextlib.contextmanager
def object_store(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """Moto's S3 with the files of ``folder`` in a bucket: the environment of who reads it."""
    import boto3

    port = free_port()
    place = f"http://127.0.0.1:{port}"
    login = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "geheim", "AWS_ENDPOINT_URL": place}
    command = (sys.executable, "-m", "moto.server", "-p", str(port))
    with running(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        wait_for(port)
        store = boto3.client("s3", "us-east-1", endpoint_url=place, aws_access_key_id="x", aws_secret_access_key="geheim")
        store.create_bucket(Bucket=bucket)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                store.upload_file(str(path), bucket, str(path.relative_to(folder)))
        yield login


SMB_LOGIN = {"SMB_USERNAME": "root", "SMB_PASSWORD": "geheim"}


@contextlib.contextmanager
def samba(folder: Path, share: Path) -> Iterator[tuple[int, int]]:
    """Debian's smbd with ``share`` as ``//127.0.0.1/vms``, for root with a password: its port and its process."""
    port = free_port()
    places = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
    for place in places:
        (folder / place).mkdir()
    lines = [f"{place} = {folder / place}" for place in places]
    lines += ["[global]", "interfaces = lo", "bind interfaces only = yes", f"smb ports = {port}", f"log file = {folder}/log"]
    lines += ["disable spoolss = yes", "load printers = no", "[vms]", f"path = {share}", "read only = no", "valid users = root"]
    (folder / "smb.conf").write_text("\n".join([lines[6], *lines[:6], *lines[7:]]))
    password = f"{SMB_LOGIN['SMB_PASSWORD']}\n" * 2
    subprocess.run(("smbpasswd", "-c", str(folder / "smb.conf"), "-s", "-a", "root"), input=password.encode(), check=True)
    # When it ends, smbd ends everybody in its group of processes.
    command = ("smbd", "--foreground", "--no-process-group", "-s", str(folder / "smb.conf"))
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, start_new_session=True, **quiet) as server:
        wait_for(port)
        yield port, server.pid
