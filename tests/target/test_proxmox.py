"""A machine of Proxmox VE as the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2vlint import target
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Hardware, Target

CONF = """bios: ovmf
cpu: x86-64-v3
machine: q35,viommu=intel
memory: 4096
net0: vmxnet3=BC:24:11:2C:69:EC,bridge=vmbr0
net1: model=virtio,macaddr=BC:24:11:2C:69:ED
scsi0: local:100/a.qcow2,size=4G
sata1: none,media=cdrom
virtio3: local:100/b.qcow2
scsihw: virtio-scsi-single
serial0: socket
vga: qxl
[snap]
bios: seabios
"""


def load(folder: Path, text: str) -> Target:
    (folder / "100.conf").write_text(text)
    target.load.cache_clear()
    return target.load(str(folder / "100.conf"))


def test_the_hardware_is_that_of_the_machine(tmp_path: Path) -> None:
    found, shipped = load(tmp_path, CONF), target.load("proxmox")
    assert (found.name, found.firmware, found.ram_mib, found.cpu_level) == ("100", ("uefi",), 4096, 3)
    assert [one.name for one in found.controllers] == ["virtio-scsi SCSI", "virtio-blk"]
    assert [one.name for one in found.nics] == ["vmxnet3", "virtio"]
    assert [one.name for one in found.displays] == ["qxl"]
    assert (found.consoles, found.hardware) == (("ttyS0", "tty0"), Hardware("q35", "virtio-scsi-pci", "vmxnet3", "qxl"))
    assert [board.source[:3] for board in found.boards] == ["q35"]
    assert (found.platform, found.limits, found.images) == (shipped.platform, shipped.limits, shipped.images)


@pytest.mark.parametrize(
    ("text", "level", "firmware", "controller", "machine"),
    [("ide0: local:1/a.raw\n", 1, "bios", "IDE", "pc"), ("scsi0: a:b\ncpu: host\n", 2, "bios", "lsilogic SCSI", "pc")],
)
def test_what_it_does_not_say(tmp_path: Path, text: str, level: int, firmware: str, controller: str, machine: str) -> None:
    found = load(tmp_path, text)
    assert (found.cpu_level, found.firmware, found.controllers[0].name) == (level, (firmware,), controller)
    assert found.hardware is not None
    assert found.hardware.machine == machine


def test_a_machine_without_a_disk_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without a disk"):
        load(tmp_path, "memory: 512\nide2: none,media=cdrom\n")
    with pytest.raises(UsageError, match="no such file"):
        target.load(str(tmp_path / "gone.conf"))


@pytest.mark.parametrize(
    ("cards", "macs"),
    [
        (
            "net0: virtio=BC:24:11:AA:00:01,bridge=vmbr0\nnet1: e1000,macaddr=bc:24:11:aa:00:02\n",
            ("bc:24:11:aa:00:01", "bc:24:11:aa:00:02"),
        ),
        ("net0: virtio,bridge=vmbr0\n", ()),
        ("net10: e1000=bc:24:11:aa:00:10\nnet2: virtio=bc:24:11:aa:00:02\n", ("bc:24:11:aa:00:02", "bc:24:11:aa:00:10")),
    ],
)
def test_cards_have_their_own_addresses(tmp_path: Path, cards: str, macs: tuple[str, ...]) -> None:
    assert load(tmp_path, f"scsi0: a:b\n{cards}").macs == macs
