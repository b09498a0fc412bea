"""Guests in object stores and on shares, each read from a server that others wrote: moto, Azurite, Samba. Google's is not tested."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestbuild.debian import cache_dir
from guestbuild.samples import cached
from tests.programs import running
from tests.source.servers import SMB_LOGIN, free_port, object_store, samba, wait_for
from v2vlint.files import FileMissing, FilePolicy
from v2vlint.files.remote import BLOCK, pread
from v2vlint.guest.open import open_ref
from v2vlint.model.errors import ImageError
from v2vlint.source.expand import expand, expand_all

AZURITE = "azurite@3.37.0"
ACCOUNT = "devstoreaccount1"
"""The account and key that Azurite's documentation states for everybody."""
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def told(url: str) -> str:
    (ref,) = expand([url])
    return " ".join(f"{problem.reason} {problem.hint}" for problem in open_ref(ref).problems)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A guest as an overlay over its image, in a folder that is named as Hyper-V names it, and a file that compares with itself."""
    top = tmp_path_factory.mktemp("stored")
    place = top / "Virtual Hard Disks"
    place.mkdir()
    shutil.copyfile(cached("debian-portable")[0], place / "base 1.qcow2")
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base 1.qcow2", str(place / "web 1.qcow2"))
    subprocess.run(command, check=True)
    (top / "numbers").write_bytes(b"".join(number.to_bytes(4, "big") for number in range(700_000)))
    return top


def is_read(base: str, folder: Path, change: Callable[[bytes], object]) -> None:
    """What every store is asked: a chain by its names, ranges, what is not there, and what changes."""
    assert not told(f"{base}/Virtual%20Hard%20Disks/web%201.qcow2")
    assert not told(f"{base}/Virtual Hard Disks/web 1.qcow2")
    assert "not found" in told(f"{base}/Virtual Hard Disks/other.qcow2")
    data = (folder / "numbers").read_bytes()
    opened = FilePolicy.naming([f"{base}/numbers"]).open(f"{base}/numbers")
    assert opened.size == len(data)
    for offset, length in ((0, 10), (BLOCK - 3, 9), (2 * BLOCK, 3 * BLOCK), (len(data) - 5, 100)):
        assert pread(opened.descriptor, length, offset) == data[offset : offset + length]
    change(bytes(len(data)))
    with pytest.raises(ImageError, match="changed on the server"):
        pread(opened.descriptor, 10, 8 * BLOCK)
    os.close(opened.descriptor)


def is_searched(base: str) -> None:
    """The guests of a folder are found, in the folder below it, whether it is called a folder or not; an image is none."""
    found = {f"{base}/Virtual%20Hard%20Disks/{name}%201.qcow2" for name in ("base", "web")}
    assert {ref.paths[0] for ref in expand_all([f"{base}/"]).refs if ref.paths[0].endswith(".qcow2")} == found
    assert {ref.paths[0] for ref in expand_all([base]).refs if ref.paths[0].endswith(".qcow2")} == found
    assert [ref.paths for ref in expand([f"{base}/numbers"])] == [(f"{base}/numbers",)]


def names(folder: Path) -> Iterator[tuple[Path, str]]:
    yield from ((path, str(path.relative_to(folder))) for path in sorted(folder.rglob("*")) if path.is_file())


def test_s3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    import boto3

    with object_store(folder, "templates") as login:
        for name, value in login.items():
            monkeypatch.setenv(name, value)
        store = boto3.client("s3", region_name="us-east-1")
        is_searched("s3://templates")
        is_read("s3://templates", folder, lambda data: store.put_object(Bucket="templates", Key="numbers", Body=data))


def azurite() -> Path:
    """The emulator's program, installed once by npm; skips when that cannot be."""
    folder = cache_dir() / AZURITE.replace("@", "-")
    program = folder / "node_modules/.bin/azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        command = (npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", str(folder), AZURITE)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            pytest.skip(f"npm does not install {AZURITE}: {done.stderr.strip()[-200:] or 'its registry does not answer'}")
    return program


@pytest.mark.slow
def test_azure(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adlfs = pytest.importorskip("adlfs")
    from azure.storage.blob import BlobServiceClient

    port = free_port()
    place = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
    login = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{place}"
    command = (
        str(azurite()),
        "--location",
        str(tmp_path),
        "--blobPort",
        str(port),
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    )
    with running(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        wait_for(port)
        store = BlobServiceClient.from_connection_string(login).create_container("templates")
        for path, name in names(folder):
            store.upload_blob(f"vm/{name}", path.read_bytes())
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", login)
        is_searched("az://templates/vm")
        is_read("az://templates/vm", folder, lambda data: store.upload_blob("vm/numbers", data, overwrite=True))
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", login.replace(KEY, KEY.swapcase()))
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        assert "AZURE_STORAGE" in told("az://templates/vm/numbers")


@pytest.mark.filterwarnings("ignore:unclosed SMB handle")  # that of a connection which broke
@pytest.mark.skipif(shutil.which("smbd") is None or os.geteuid() != 0, reason="Samba is not installed, or not root")
def test_smb(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("smbclient")
    monkeypatch.setattr("v2vlint.files.schemes.smb.BACK_OFF", 0.01)
    for name, value in SMB_LOGIN.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(folder, tmp_path / "share")
    with samba(tmp_path, tmp_path / "share") as (port, server):
        base = f"smb://127.0.0.1:{port}/vms"
        with pytest.raises(FileMissing, match="not found"):
            FilePolicy.naming([f"{base}2/x"]).open(f"{base}2/x")
        breaks_off(base, server)
        is_in_use(base)
        is_read(base, folder, (tmp_path / "share/numbers").write_bytes)
        assert not told(f"{base.replace('//', '//root@')}/Virtual Hard Disks/base 1.qcow2")
        monkeypatch.setenv("SMB_PASSWORD", "falsch")
        assert "refuses the login" in told(f"{base}/numbers")


def breaks_off(base: str, server: int) -> None:
    """The connection of a file that is being read ends: it is made again."""
    opened = FilePolicy.naming([f"{base}/numbers"]).open(f"{base}/numbers")
    before = pread(opened.descriptor, 8, 0)
    for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        if (Path("/proc") / child / "net").exists():
            os.kill(int(child), signal.SIGKILL)
    assert pread(opened.descriptor, 8, 4 * BLOCK) == b"".join((BLOCK + number).to_bytes(4, "big") for number in (0, 1))
    assert pread(opened.descriptor, 8, 0) == before
    os.close(opened.descriptor)


def is_in_use(base: str) -> None:
    """Our reading locks nobody out; who locks us out is told."""
    import smbclient

    options = {"username": SMB_LOGIN["SMB_USERNAME"], "password": SMB_LOGIN["SMB_PASSWORD"], "port": int(base.split(":")[2].split("/")[0])}
    opened = FilePolicy.naming([f"{base}/numbers"]).open(f"{base}/numbers")
    with smbclient.open_file(r"\\127.0.0.1\vms\numbers", "r+b", share_access="rw", **options):
        pread(opened.descriptor, 8, 3 * BLOCK)
    os.close(opened.descriptor)
    with smbclient.open_file(r"\\127.0.0.1\vms\Virtual Hard Disks\base 1.qcow2", "r+b", **options):
        assert "in use on the server" in told(f"{base}/Virtual Hard Disks/base 1.qcow2")
