"""Boots that are over in seconds: boot sectors of a few bytes under the real QEMU, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from v2vlint import target
from v2vlint.model.errors import ImageError
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Proof, Reached
from v2vlint.model.source import GuestRef
from v2vlint.proving import Wish, forecast, prove

pytestmark = pytest.mark.slow
KVM = target.load("kvm")


def boot_sector(code: bytes, text: bytes = b"") -> bytes:
    """A disk of 1 MiB whose boot sector runs ``code``; ``text`` lies at 0x7d00."""
    return (code.ljust(256, b"\xf4") + text).ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512)


def printing(text: bytes, then: bytes) -> bytes:
    """A boot sector that prints ``text`` on the BIOS console and goes on with ``then``."""
    # xor ax,ax; mov ds,ax; mov si,0x7d00; next: lodsb; or al,al; jz done; mov ah,0x0e; mov bx,7; int 0x10; jmp next; done:
    return boot_sector(bytes.fromhex("31c08ed8be007dac08c07409b40ebb0700cd10ebf2") + then, text + b"\0")


HANG = bytes.fromhex("fbf4ebfd")  # sti; again: hlt; jmp again
RESET = bytes.fromhex("ea0000ffff")  # jmp 0xffff:0
POWER_OFF = bytes.fromhex("ba0406b80020ef") + HANG  # mov dx,0x604; mov ax,0x2000; out dx,ax: ACPI S5 on a Q35


def boot(folder: Path, disk: bytes, **wish: object) -> Proof:
    """Boot one raw disk through BIOS."""
    image = folder / "disk.raw"
    image.write_bytes(disk)
    return prove(GuestRef("disk.raw", "disks", (str(image),)), KVM, Wish(firmware="bios", memory=128, **wish))  # type: ignore[arg-type]


def test_a_blank_disk(tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    proof = boot(tmp_path, bytes(1 << 20), artifacts=artifacts)
    assert (proof.came_up, proof.stage, proof.reason) == (False, Stage.FIRMWARE, "the firmware found no bootable disk")
    assert proof.milestones[0].reached is Reached.FAILED
    assert proof.unchanged
    assert "No bootable device." in proof.evidence
    assert b"No bootable device." in (artifacts / "serial.log").read_bytes()
    assert b"SeaBIOS" in (artifacts / "firmware.log").read_bytes()
    assert (artifacts / "screen.png").read_bytes().startswith(b"\x89PNG")
    assert (artifacts / "packets.pcap").stat().st_size >= 24
    assert "-blockdev" in (artifacts / "qemu.txt").read_text()
    assert json.loads((artifacts / "proof.json").read_text())["came_up"] is False


@pytest.mark.parametrize(
    ("text", "came_up", "stage"),
    [
        (b"Missing operating system.\r\n", False, Stage.LOADER),
        (b"error: no such partition.\r\nEntering rescue mode...\r\ngrub rescue> ", False, Stage.LOADER),
        (b"Linux version 6.1\r\nKernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n", False, Stage.ROOT),
    ],
)
def test_what_a_guest_prints_decides(tmp_path: Path, text: bytes, came_up: bool, stage: Stage | None) -> None:
    proof = boot(tmp_path, printing(text, HANG), timeout=60)
    assert (proof.came_up, proof.stage) == (came_up, stage)
    assert proof.seconds < 30


def test_a_guest_that_came_up_when_time_is_up_has_come_up(tmp_path: Path) -> None:
    """Its network is waited for, but not longer than the boot may take."""
    proof = boot(tmp_path, printing(b"guest login: ", HANG), timeout=12)
    assert (proof.came_up, proof.milestones[-1].evidence) == (True, "the network card sent nothing")
    assert proof.seconds < 30


def test_silence_cannot_be_told(tmp_path: Path) -> None:
    proof = boot(tmp_path, printing(b"hello", HANG), timeout=6)
    assert proof.came_up is None
    assert proof.reason == "no login and no known failure within 6 s; last seen: firmware"
    assert "hello" in proof.evidence[-1]
    assert proof.seconds < 20


def test_a_guest_that_resets_again_and_again(tmp_path: Path) -> None:
    proof = boot(tmp_path, boot_sector(RESET), timeout=60)
    assert (proof.came_up, proof.reason) == (False, "the guest keeps restarting, after firmware")


def test_a_guest_that_switches_itself_off(tmp_path: Path) -> None:
    proof = boot(tmp_path, boot_sector(POWER_OFF), timeout=60)
    assert (proof.came_up, proof.reason) == (False, "the guest powered itself off, after firmware")


def test_a_flood_on_the_serial_line_is_survived(tmp_path: Path) -> None:
    # mov dx,0x3f8; mov al,'x'; again: out dx,al; jmp again
    proof = boot(tmp_path, boot_sector(bytes.fromhex("baf803b078eeebfd")), timeout=6, artifacts=tmp_path / "artifacts")
    assert proof.came_up is None
    assert (tmp_path / "artifacts" / "serial.log").stat().st_size <= 16 << 20


def test_several_disks_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first.raw", tmp_path / "second.raw"
    first.write_bytes(printing(b"guest login: ", HANG))
    second.write_bytes(bytes(1 << 20))
    proof = prove(GuestRef("pair", "disks", (str(first), str(second))), KVM, Wish(firmware="bios", memory=128, timeout=12))
    assert proof.came_up
    devices = [word for word in proof.command if word.startswith("virtio-blk-pci")]
    assert [device.split("drive=")[1] for device in devices] == ["disk0,bootindex=1", "disk1,bootindex=2"]


def test_no_operating_system_has_no_forecast_and_no_kernel(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    guest = GuestRef("disk.raw", "disks", (str(image),))
    assert forecast(guest, KVM) is None
    with pytest.raises(ImageError, match="no kernel to start"):
        prove(guest, KVM, Wish(via="kernel"))


def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        prove(GuestRef("gone", "disks", (str(tmp_path / "gone"),)), KVM)


def test_the_command_line(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    command = [sys.executable, "-m", "v2vlint", "prove", "--no-config", "--firmware", "bios", str(image)]
    text = subprocess.run([*command, "--artifacts", str(tmp_path / "kept")], capture_output=True, text=True, timeout=120, check=False)
    assert (text.returncode, text.stderr) == (1, "")
    assert "booted on kvm: did not come up: the firmware found no bootable disk" in text.stdout
    assert (tmp_path / "kept" / "serial.log").exists()
    found = json.loads(subprocess.run([*command, "--format", "json"], capture_output=True, timeout=120, check=False).stdout)
    assert (found["proof"]["came_up"], found["forecast"], found["agree"]) == (False, None, None)
    refused = subprocess.run([*command, "--artifacts", str(image)], capture_output=True, text=True, timeout=120, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--artifacts" in refused.stderr


def qemus(marker: Path) -> list[int]:
    """The QEMU processes that have ``marker`` open: they are given descriptors, not names."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                opened = [one.readlink() for one in (entry / "fd").iterdir()]
                program = (entry / "exe").readlink()
            except OSError:
                continue
            if program.name.startswith("qemu-system") and marker in opened:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_proof_leaves_no_qemu(tmp_path: Path, number: signal.Signals, code: int) -> None:
    image, temporary = tmp_path / "disk.raw", tmp_path / "tmp"
    temporary.mkdir()
    image.write_bytes(boot_sector(HANG))
    command = [sys.executable, "-m", "v2vlint", "prove", "--no-config", "--firmware", "bios", str(image)]
    complaints = (tmp_path / "complaints").open("w+")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=complaints, env={**os.environ, "TMPDIR": str(temporary)})
    deadline = time.monotonic() + 60
    while not qemus(image) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert qemus(image)
    process.send_signal(number)
    assert process.wait(60) == code, complaints.seek(0) or complaints.read()
    complaints.close()
    deadline = time.monotonic() + 60
    while qemus(image) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert qemus(image) == []
    if number is not signal.SIGKILL:
        assert list(temporary.iterdir()) == []
