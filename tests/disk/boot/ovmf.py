"""Disks with an EFI system partition, and what OVMF makes of them: about ten seconds without KVM."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.programs import running

FIRMWARE = Path("/usr/share/OVMF")
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]")


def esp_image(path: Path, files: Mapping[str, bytes], table: str = f"label: gpt\nstart=2048,size=60000,type={ESP}\n") -> Path:
    """A disk whose first partition, at sector 2048, is a FAT with ``files``."""
    fat, one = path.with_suffix(".fat"), path.with_suffix(".one")
    path.unlink(missing_ok=True)
    fat.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", "64M", path], check=True)
    if table:
        subprocess.run(["sfdisk", "-q", path], input=table, text=True, check=True, capture_output=True)
    subprocess.run(["mkfs.vfat", "-C", fat, "30000"], check=True, capture_output=True)
    folders = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    for folder in sorted(folders):
        subprocess.run(["mmd", "-i", fat, f"::{folder}"], check=True)
    for name, data in files.items():
        one.write_bytes(data)
        subprocess.run(["mcopy", "-i", fat, one, f"::{name}"], check=True)
    with path.open("r+b") as disk:
        disk.seek(2048 * 512 if table else 0)
        disk.write(fat.read_bytes())
    return path


def shown(*disks: Path, awaited: str, secure: bool = False, seconds: int = 60, more: str = "", listed: int = 9) -> str:
    """The console of a machine with these disks, until ``awaited`` appears. ``more`` are options of each disk; the first
    ``listed`` ones are in the boot order.

    ``secure``: Secure Boot with Microsoft's keys.
    """
    kind = "4M.ms" if secure else "4M"
    store = disks[0].with_suffix(".vars")
    shutil.copy(FIRMWARE / f"OVMF_VARS_{kind}.fd", store)
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-machine", "q35,smm=on", "-nographic", "-net", "none"]
    command += ["-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else []
    command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_{kind}.fd"]
    command += ["-drive", f"if=pflash,unit=1,format=raw,file={store}"]
    for number, disk in enumerate(disks, 1):
        command += ["-drive", f"if=none,id=d{number},file={disk},format=raw,snapshot=on"]
        order = f",bootindex={number}" if number <= listed else ""
        command += ["-device", f"virtio-blk-pci,drive=d{number}{order}{more}"]
    text, end = "", time.monotonic() + seconds
    with running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as machine:
        assert machine.stdout is not None
        os.set_blocking(machine.stdout.fileno(), False)
        while time.monotonic() < end and not re.search(awaited, text) and machine.poll() is None:
            time.sleep(0.2)
            text = ESCAPES.sub("", text + (machine.stdout.read() or b"").decode("ascii", "replace"))
    return text
