"""A Windows under BitLocker through the real command: what is told of it, locked and opened."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import v2vlint as library
from tests.cli.conftest import Run
from tests.disk.crypto.bitlocker_volume import AREA, CLEAR, RECOVERY, RECOVERY_PASSWORD, TPM, Spec, bitlocker, identifier
from tests.disk.images import partitioned
from v2vlint.samples.regf import make_hive

SOFTWARE = r"""
[Microsoft\Windows NT\CurrentVersion]
"ProductName"="Windows 10 Pro"
"CurrentMajorVersionNumber"=dword:a
"CurrentMinorVersionNumber"=dword:0
"CurrentBuildNumber"="19045"
"InstallationType"="Client"
"""
ID = str(identifier(RECOVERY_PASSWORD))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("windows")
    config = folder / "Windows" / "System32" / "config"
    config.mkdir(parents=True)
    (config / "SOFTWARE").write_bytes(make_hive(SOFTWARE))
    (config / "SYSTEM").write_bytes(make_hive('[Select]\n"Current"=dword:1\n'))
    image = folder / "fs"
    subprocess.run(["mkfs.vfat", "-C", "-F", "16", "-s", "1", str(image), "8192"], check=True, capture_output=True)
    done = ["mcopy", "-s", "-i", str(image), str(folder / "Windows"), "::"]
    subprocess.run(done, check=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})
    return image.read_bytes() + bytes(4 * AREA)


def disk(folder: Path, plain: bytes, *protectors: int) -> Path:
    (folder / "volume").write_bytes(bitlocker(plain, Spec(protectors)))
    return partitioned(
        folder / "win.img", "label: dos\nlabel-id: 0x12345678\n1 : start=2048, type=7\n", {2048: folder / "volume"}, 12 << 20
    )


def test_locked(tmp_path: Path, plain: bytes, v2vlint: Run) -> None:
    image = disk(tmp_path, plain, TPM, RECOVERY_PASSWORD)
    text = " ".join(v2vlint("inspect", str(image)).stdout.split())
    assert "BitLocker (on), not opened, AES 128, protected by TPM, recovery password 3FD763F9" in text
    assert "no key was given; the recovery password 3FD763F9 opens it → give a key with --key-file" in text
    done = v2vlint("inspect", str(image), "--format", "json")
    (told,) = json.loads(done.stdout)["machines"][0]["encryption"]
    assert (done.returncode, told["state"], told["opened"]) == (3, "on", False)
    assert (told["protectors"], told["recovery_ids"], told["keyslots"]) == (["TPM", "recovery password"], [ID], 2)


def test_opened_by_the_guid_of_the_volume(tmp_path: Path, plain: bytes, v2vlint: Run) -> None:
    image = disk(tmp_path, plain, TPM, RECOVERY_PASSWORD)
    (locked,) = library.open(image).machine.encryption
    (tmp_path / "key.txt").write_text(f"Recovery Key:\n{RECOVERY}\n", encoding="utf-16")
    key = f"{locked.guid}={tmp_path / 'key.txt'}"
    done = v2vlint("check", str(image), "--key-file", key, "--select", "windows-bitlocker", "--format", "json")
    (result,) = json.loads(done.stdout)["images"][0]["roots"][0]["targets"][0]["results"]
    (finding,) = result["findings"]
    assert "encrypted with BitLocker, protected by TPM, recovery password" in finding["message"]
    assert "asks for the recovery password 3FD763F9" in finding["effect"]


def test_suspended(tmp_path: Path, plain: bytes) -> None:
    machine = library.open(disk(tmp_path, plain, TPM, RECOVERY_PASSWORD, CLEAR)).machine
    (told,) = machine.encryption
    assert (told.state, told.opened) == ("suspended", True)
    assert [system.release.product_name for system in machine.systems] == ["Windows 10 Pro"]
