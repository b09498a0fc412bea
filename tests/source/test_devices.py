"""Block devices of this host and exports of nbdkit: read as the file behind them, with a word about who uses them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.programs import running
from tests.source.servers import free_port, wait_for
from v2vlint.guest.open import GuestContents, open_ref
from v2vlint.source.expand import expand

nbdkit = pytest.mark.skipif(shutil.which("nbdkit") is None, reason="nbdkit is not installed")


def opened(argument: str) -> GuestContents:
    (ref,) = expand([argument])
    return open_ref(ref)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (image,) = cached("debian-portable")
    path = tmp_path_factory.mktemp("raw") / "vm.raw"
    subprocess.run(("qemu-img", "convert", "-O", "raw", str(image), str(path)), check=True)
    return path


@pytest.fixture
def binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """libnbd's binding is Debian's, and of the same version of Python."""
    monkeypatch.setattr(sys, "path", [*sys.path, "/usr/lib/python3/dist-packages"])
    pytest.importorskip("nbd")


@nbdkit
@pytest.mark.usefixtures("binding")
def test_an_export_is_the_disk(raw: Path, tmp_path: Path) -> None:
    wanted = opened(str(raw))
    port, place = free_port(), tmp_path / "nbd.sock"
    for listens, where, url in (
        (port, ("-i", "127.0.0.1", "-p", str(port)), f"nbd://127.0.0.1:{port}"),
        (place, ("-U", str(place)), f"nbd+unix:///?socket={place}"),
    ):
        with running(("nbdkit", "-f", "-r", *where, "file", str(raw))) as server:
            wait_for(listens)
            found = opened(url)
            assert not found.problems
            assert [root.os for root in found.roots] == [root.os for root in wanted.roots]
            assert found.size == wanted.size
            server.kill()  # asked to end, it waits for its clients


@pytest.mark.usefixtures("binding")
def test_no_server_is_told() -> None:
    assert "Connection refused" in opened(f"nbd://127.0.0.1:{free_port()}/x").problems[0].reason


def test_a_missing_binding_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "python3-libnbd" in opened("nbd://127.0.0.1/x").problems[0].hint


@pytest.fixture
def loop(raw: Path) -> Iterator[str]:
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("needs root and losetup")
    done = subprocess.run(("losetup", "-f", "--show", "-r", str(raw)), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no loop device")
    yield done.stdout.strip()
    subprocess.run(("losetup", "-d", done.stdout.strip()), check=True)


def test_a_block_device_is_read_and_its_user_named(loop: str, raw: Path, tmp_path: Path) -> None:
    found = opened(loop)
    assert [root.os for root in found.roots] == [root.os for root in opened(str(raw)).roots]
    assert not found.problems
    (start,) = {int(device.detail("start")) for device in found.blocks if device.name == found.roots[0].device}
    place = tmp_path / "root"
    place.mkdir()
    # The kernel refuses a second loop device over the same bytes of one file.
    other = shutil.copyfile(raw, tmp_path / "other.raw")
    mounted = subprocess.run(("mount", "-o", f"ro,noload,loop,offset={start}", str(other), str(place)), check=False)
    if mounted.returncode:
        pytest.skip("no mounting here")
    try:
        source = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == str(place))
        assert f"mounted at {place} on this host" in opened(source).problems[0].reason
    finally:
        subprocess.run(("umount", str(place)), check=True)
