"""Indexes written here are read back by the real modprobe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from v2vlint.fixing.kmod_index import index

VERSION = "6.1.0-test"
DEP = {
    "virtio": "kernel/drivers/virtio/virtio.ko:",
    "virtio_ring": "kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko",
    "virtio_blk": "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko",
    "vir": "kernel/vir.ko:",
}
ALIAS = [("virtio:d00000002v*", "virtio_blk"), ("pci:v00001AF4d*sv*", "virtio_ring"), ("pci:v00001AF4d*sv*", "vir")]


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A module tree whose only indexes are ours."""
    folder = tmp_path / "lib/modules" / VERSION
    folder.mkdir(parents=True)
    for line in DEP.values():
        path = folder / line.split(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF")
    (folder / "modules.dep.bin").write_bytes(index(DEP.items()))
    (folder / "modules.alias.bin").write_bytes(index(ALIAS))
    for name in ("modules.symbols.bin", "modules.builtin.bin", "modules.builtin.alias.bin"):
        (folder / name).write_bytes(index([]))
    return tmp_path


def resolve(modules: Path, name: str) -> list[str]:
    """The files modprobe would load for ``name``, in order."""
    command = ["modprobe", "-C", "/dev/null", "-d", str(modules), "-S", VERSION, "--show-depends", name]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Path(line.split()[1]).stem for line in out.splitlines()]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("virtio", ["virtio"]),
        ("virtio_blk", ["virtio", "virtio_ring", "virtio_blk"]),
        ("vir", ["vir"]),
        ("virtio:d00000002v00001AF4", ["virtio", "virtio_ring", "virtio_blk"]),
        ("pci:v00001AF4d00001000sv1", ["virtio", "virtio_ring", "vir"]),
    ],
)
def test_modprobe_reads_it(modules: Path, name: str, files: list[str]) -> None:
    assert resolve(modules, name) == files


def test_absent_module(modules: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        resolve(modules, "virt")
