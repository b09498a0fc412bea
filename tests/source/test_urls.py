"""Guests on servers: what a URL gives is what the file gives, and whatever a server does is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

import v2vlint
from guestbuild.samples import cached
from tests.source.servers import Handler, WebServer, certificate, secure_shell, sshd, web
from v2vlint.files import FileMissing, FilePolicy, Refused
from v2vlint.files.policy import UrlPolicy
from v2vlint.files.remote import BLOCK, BlockCache, pread
from v2vlint.files.sftp import Sftp
from v2vlint.files.urls import child_of, folder_of, is_in, plain
from v2vlint.guest.open import open_ref
from v2vlint.model.errors import ImageError, NothingFound, UsageError
from v2vlint.source.doors import domain
from v2vlint.source.expand import expand
from v2vlint.source.live import Live

SERVER = "/usr/lib/openssh/sftp-server"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest as an overlay over its image, and a file that compares with itself."""
    top = tmp_path_factory.mktemp("served")
    (image,) = cached("debian-portable")
    (top / "vm").mkdir()
    (top / "vm/base.qcow2").write_bytes(Path(image).read_bytes())
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2")
    subprocess.run((*command, "-b", "base.qcow2", str(top / "vm/web.qcow2")), check=True)
    subprocess.run((*command, "-b", "../vm/base.qcow2", "-u", str(top / "vm/up.qcow2"), "1G"), check=True)
    subprocess.run((*command, "-b", "../secret.qcow2", "-u", str(top / "vm/bad.qcow2"), "1G"), check=True)
    (top / "secret.qcow2").write_bytes(b"outside")
    (top / "numbers").write_bytes(b"".join(number.to_bytes(4, "big") for number in range(700_000)))
    return top


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr("v2vlint.files.schemes.http.BACK_OFF", 0.01)
    with web(folder) as found:
        yield found


def told(url: str) -> str:
    (ref,) = expand([url])
    return " ".join(f"{problem.reason} {problem.hint}" for problem in open_ref(ref).problems)


def test_a_chain_behind_http_is_judged_as_the_files_are(server: WebServer, folder: Path) -> None:
    local, remote = v2vlint.check(str(folder / "vm/web.qcow2")), v2vlint.check(f"{server.url}/vm/web.qcow2")
    assert not remote.images[0].problems
    assert [root.targets[0].results for root in remote.images[0].roots] == [root.targets[0].results for root in local.images[0].roots]
    assert {path.rpartition("/")[2] for path in server.asked} == {"web.qcow2", "base.qcow2"}


def test_every_range_is_what_the_file_has(server: WebServer, folder: Path) -> None:
    data = (folder / "numbers").read_bytes()
    opened = FilePolicy.naming([f"{server.url}/numbers"]).open(f"{server.url}/numbers")
    assert opened.size == len(data)
    for offset, length in (
        (0, 10),
        (BLOCK - 3, 9),
        (5 * BLOCK, 3 * BLOCK),
        (2 * BLOCK + 1, BLOCK),
        (len(data) - 5, 100),
        (len(data), 4),
        (0, len(data)),
    ):
        assert pread(opened.descriptor, length, offset) == data[offset : offset + length]
    with opened.stream() as stream:
        stream.seek(1234)
        assert stream.read(99) == data[1234 : 1234 + 99]


class Counting:
    """Ranges of zeros that says what it was asked for."""

    state = ""

    def __init__(self, size: int) -> None:
        self.size, self.asked = size, list[tuple[int, int]]()

    def read(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return bytes(length)

    def close(self) -> None:
        """Nothing."""


def test_reads_in_a_row_are_few_and_scattered_ones_small() -> None:
    ranges = Counting(200 * BLOCK)
    blocks = BlockCache(ranges)
    for number in range(64):
        assert len(blocks.read(number * BLOCK, BLOCK)) == BLOCK
    assert len(ranges.asked) < 10
    ranges.asked.clear()
    for number in (199, 195, 197, 190):
        blocks.read(number * BLOCK + 7, 10)
    assert [length for _offset, length in ranges.asked] == [BLOCK] * 4


def test_the_folder_of_the_url_is_the_border(server: WebServer) -> None:
    assert not told(f"{server.url}/vm/up.qcow2").startswith("refers to")
    assert "outside its folder" in told(f"{server.url}/vm/bad.qcow2")
    policy = FilePolicy.naming([f"{server.url}/vm/web.qcow2"])
    for path in ("/vm/../secret.qcow2", "/vm/%2e%2e/secret.qcow2", "/vm/..%2fsecret.qcow2", "/vm/.hidden", "/vmx"):
        with pytest.raises(Refused):
            policy.open(server.url + path)
    for path in (
        "http://other/vm/base.qcow2",
        server.url.replace("http:", "https:") + "/vm/base.qcow2",
        "/etc/passwd",
        "sftp://x/vm/base.qcow2",
    ):
        with pytest.raises(Refused):
            policy.open(path)
    FilePolicy.naming([f"{server.url}/vm/web.qcow2"], [server.url]).open(f"{server.url}/secret.qcow2")


def test_a_bucket_that_is_searched_is_open_below_and_a_name_leads_nowhere_else() -> None:
    (whole,) = UrlPolicy.naming((), ["s3://b"], ()).folders
    assert is_in(whole, "s3://b/x/y.qcow2")
    assert not is_in(folder_of("s3://b/a.qcow2"), "s3://b/x/y.qcow2")
    for name in ("../a", "..", ".ssh", "a/../../b", "x%2f..%2fy/z"):
        assert not is_in("s3://b/x", plain(child_of("s3://b/x", name)))
    for name in ("my disk.vmdk", "a%2fb (1)#?.img", "ä+.raw"):
        assert is_in("s3://b/x", plain(child_of("s3://b/x", name)))
        assert unquote(plain(child_of("s3://b/x", name))) == f"s3://b/x/{name}"
        assert "%" in name or plain(f"s3://b/x/{name.replace('#?', '')}") == plain(child_of("s3://b/x", name.replace("#?", "")))


def status(code: int, times: int = 1000) -> list[int]:
    return [code] * times


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        (status(403), "refuses access (403)"),
        (status(401), "asks for a login put it into ~/.netrc"),
        (status(404), "not found on the server (404)"),
        (status(503), "no answer after 5 attempts"),
        (status(418), "answers with 418"),
    ],
)
def test_what_a_server_refuses_is_told(server: WebServer, codes: list[int], wanted: str) -> None:
    server.fault = lambda handler: handler.reply(codes.pop())
    assert wanted in told(f"{server.url}/vm/base.qcow2")


def test_what_passes_is_tried_again(server: WebServer) -> None:
    codes = [503, 429, 0, 500]

    def fault(handler: Handler) -> bool:
        if not codes or not (code := codes.pop()):
            return False
        return handler.reply(code)

    server.fault = fault
    assert not told(f"{server.url}/vm/base.qcow2")
    assert not codes


def test_a_body_that_is_cut_short_is_asked_for_again(server: WebServer) -> None:
    cut = [True]

    def fault(handler: Handler) -> bool:
        if not cut:
            return False
        cut.pop()
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 0-99/100000")
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"short")
        handler.close_connection = True
        return True

    server.fault = fault
    assert not told(f"{server.url}/vm/base.qcow2")


def test_a_file_that_changes_is_not_mixed(server: WebServer) -> None:
    opened = FilePolicy.naming([f"{server.url}/numbers"]).open(f"{server.url}/numbers")
    server.etag = '"2"'
    with pytest.raises(ImageError, match="changed on the server"):
        pread(opened.descriptor, 10, 8 * BLOCK)
    opened.stream().close()


def test_a_server_without_ranges_gives_small_files_only(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fault = lambda handler: handler.reply(200, (server.folder / handler.path[1:]).read_bytes())
    assert not told(f"{server.url}/vm/base.qcow2")
    monkeypatch.setattr("v2vlint.files.schemes.http.MAX_WHOLE", 1000)
    assert "has no ranges" in told(f"{server.url}/vm/base.qcow2")


def test_signatures_and_passwords_are_shown_nowhere(server: WebServer) -> None:
    server.fault = lambda handler: "X-Signature=geheim" not in handler.path and handler.reply(403)
    report = v2vlint.check(f"{server.url}/vm/base.qcow2?X-Signature=geheim")
    assert not report.images[0].problems
    assert "geheim" not in repr(report)
    (ref,) = expand(["https://me:geheim@example.com/a.qcow2"])
    assert "password in a URL" in ref.problem
    assert "geheim" not in repr(ref)


def test_a_redirect_is_followed_and_its_place_remembered(server: WebServer) -> None:
    def fault(handler: Handler) -> bool:
        if not handler.path.startswith("/old/"):
            return False
        return handler.reply(302, Location=handler.path.replace("/old/", "/vm/"))

    server.fault = fault
    assert not told(f"{server.url}/old/base.qcow2")
    assert server.asked.count("/old/base.qcow2") == 1


def test_the_authority_of_a_server_is_named_by_an_option(folder: Path, tmp_path: Path) -> None:
    place = certificate(tmp_path)
    (tmp_path / "empty").touch()
    with web(folder, place) as server:
        asked = [sys.executable, "-m", "v2vlint", "check", "-q", f"{server.url.replace('http:', 'https:')}/vm/web.qcow2"]
        for more, wanted in (
            ((), "certificate verify failed"),
            (("--ca-file", str(tmp_path / "certificate")), "no-guest-agent"),
            (("--ca-file", str(tmp_path / "empty")), "no certificate in PEM form"),
            (("--ca-file", "gone"), "--ca-file gone: no such file or directory"),
        ):
            done = subprocess.run([*asked, *more], capture_output=True, text=True, check=False, cwd=tmp_path)
            assert wanted in done.stdout + done.stderr


def test_it_is_not_fixed(server: WebServer) -> None:
    with pytest.raises(UsageError, match="cannot be fixed") as caught:
        v2vlint.fix(f"{server.url}/vm/base.qcow2")
    assert "download it" in caught.value.hint


@sshd
def test_sftp_by_the_ssh_program(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_shell(tmp_path) as (login, command):
        monkeypatch.setenv("V2VLINT_SSH", command)
        assert not told(f"sftp://{login}{folder}/vm/web.qcow2")
        with pytest.raises(FileMissing):
            FilePolicy.naming([f"sftp://{login}/nowhere"]).open(f"sftp://{login}/nowhere")
        (folder / "nothing").mkdir()
        with pytest.raises(NothingFound, match="a folder without disk images"):
            expand([f"sftp://{login}{folder}/nothing"])
        monkeypatch.setenv("V2VLINT_SSH", "ssh -F none -oUserKnownHostsFile=/dev/null -oStrictHostKeyChecking=yes")
        assert "Host key verification failed" in told(f"sftp://{login}{folder}/vm/web.qcow2")


def test_a_talkative_server_does_not_wait(folder: Path) -> None:
    """More is said on stderr than a pipe holds, before the session and in it."""
    talk = "head -c 200000 /dev/zero | tr '\\0' x >&2; echo >&2"
    session = Sftp(("sh", "-c", f"{talk}; ({talk}) & exec {SERVER}"), "sftp://here")
    assert {name for name, _found in session.names(bytes(folder))} >= {b"vm", b"numbers"}
    session.close()
    with pytest.raises(ImageError, match=r"no connection: at last$"):
        Sftp(("sh", "-c", f"{talk}; echo at last >&2"), "sftp://here")


@sshd
def test_a_domain_of_another_host_has_its_disks_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(folder / "vm/base.qcow2"))
    (tmp_path / "overlays").mkdir()
    subprocess.run((*command, str(tmp_path / "overlays/web top.qcow2")), check=True)
    disk = f"<source file='{tmp_path}/overlays/web top.qcow2'/><backingStore><source file='{folder}/vm/base.qcow2'/></backingStore>"
    xml = f"<domain type='kvm'><name>web</name><devices><disk type='file' device='disk'>{disk}<target dev='vda'/></disk></devices></domain>"
    monkeypatch.setattr("v2vlint.source.live.live_domain", lambda _name, _uri: Live(xml))
    with secure_shell(tmp_path) as (login, ssh):
        monkeypatch.setenv("V2VLINT_SSH", ssh)
        (image,) = v2vlint.check("domain:web", connect=f"qemu+ssh://{login}/system").images
        assert not image.problems
        assert image.roots
        with pytest.raises(UsageError, match="cannot be fixed"):
            v2vlint.fix("domain:web", connect=f"qemu+ssh://{login}/system")


@pytest.mark.parametrize(
    "uri", ["qemu+tls://kvm7/system", "qemu://root@kvm7:16514/system", "qemu+tcp://kvm7/system", "esx://kvm7/?no_verify=1"]
)
def test_a_path_of_another_host_is_not_taken_for_one_of_this(uri: str) -> None:
    (ref,) = expand(["domain:web"], uri)
    assert ref.problem == "the disks are on kvm7, and this connection gives no access to them"
    assert "qemu+ssh://root@kvm7/system" in ref.hint


def test_an_address_of_another_host_stays_one_that_a_url_can_have() -> None:
    (ref,) = expand(["domain:web"], "qemu+tls://root@[2001:db8::7]:16514/system")
    assert "qemu+ssh://root@[2001:db8::7]/system" in ref.hint


@pytest.mark.parametrize(
    "uri",
    [
        "", "qemu:///system", "test:///default", "qemu+tcp://localhost/system", "qemu+ssh://kvm7/system", "qemu+tcp://LOCALHOST:16509/system",
        "qemu+tcp://[::1]:16509/system", "qemu+tls://127.0.0.1/system",
    ],
)  # fmt: skip
def test_the_disks_of_this_host_and_those_behind_ssh_are_within_reach(uri: str) -> None:
    assert not domain._unreadable(uri)


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "$(x)"])
def test_a_host_is_no_option(host: str) -> None:
    assert "no host" in told(f"sftp://{host}/x.qcow2")


@pytest.mark.parametrize("url", ["winrm://host/c$", "proxmox://node/100", "ftp://host/*.qcow2"])
def test_a_url_of_another_kind_is_no_missing_file(url: str) -> None:
    (ref,) = expand([url])
    assert ref.problem == f"{url}: URLs of this kind are not read"
    assert {"https://", "vsphere://", "ssh://"} <= set(ref.hint.removeprefix("read are ").split(", "))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "pip install 'v2vlint[gs]'" in told("gs://bucket/a.qcow2")
    assert [ref.kind for ref in expand(["https://h/a.ova", "https://h/a.vmx?x=1"])] == ["ova", "vmx"]
