"""What the rule says of Wayland, held to what Weston did on QEMU's cards: ``wayland_cells.tsv``, recorded by ``tests/truth/wayland.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.wayland import CARDS, row
from tests.verdicts.asking import store
from v2vlint.engine.run import run_rule
from v2vlint.model.rule import Content
from v2vlint.samples.boot import EXT4, VIRTIO, sample_boot, sample_kernel
from v2vlint.target import load
from v2vlint_checks.display.display_without_driver import DisplayWithoutDriver

CELLS = [line.split("\t") for line in Path(__file__).with_name("wayland_cells.tsv").read_text("utf-8").splitlines() if line]
FIRMWARE = {"bios": "", "uefi": " firmware='efi'"}
DOMAIN = (
    "<domain type='kvm'><os{}><type arch='x86_64'>hvm</type></os><devices><disk device='disk'><target dev='vda'/></disk>"
    "<video><model type='{}'/></video></devices></domain>"
)
DESKTOP: dict[str, Content] = {"/etc/systemd/system/graphical.target.wants/greetd.service": "", "/usr/bin/weston": ""}


@pytest.mark.parametrize("cell", CELLS, ids=["-".join(cell[:4]) for cell in CELLS])
def test_a_compositor_that_finds_no_device_is_foreseen(tmp_path: Path, cell: list[str]) -> None:
    card, firmware, arguments, driver, seen = cell[:5]
    domain = tmp_path / "machine.xml"
    domain.write_text(DOMAIN.format(FIRMWARE[firmware], {"std": "vga"}.get(card, card)))
    modules = [name for name in CARDS.values() if driver != "missing" or name != CARDS[card]]
    kernel = sample_kernel((*VIRTIO, *EXT4, *modules), builtin=("vesafb", "efifb"))
    files: dict[str, Content] = {
        **sample_boot(kernel, args=f"root=/dev/vda1 {arguments}"),
        **DESKTOP,
        "/sbin/init": "",
        **option(card, driver),
    }
    assert bool(run_rule(DisplayWithoutDriver(), store(files, load(str(domain)))).findings) is (seen != "up")


def test_the_page_has_the_cells() -> None:
    page = Path("docs/x-displays.md").read_text("utf-8").splitlines()
    assert [line for line in page if line.startswith(tuple(f"| {card} | {kind} |" for card in CARDS for kind in ("BIOS", "UEFI")))] == [
        row(*cell) for cell in CELLS
    ]


def option(card: str, driver: str) -> dict[str, Content]:
    """What init wrote for modprobe."""
    lines = {"blacklisted": f"blacklist {CARDS[card]}\n"} | {f"modeset={on}": f"options {CARDS[card]} modeset={on}\n" for on in "01"}
    return {"/etc/modprobe.d/cell.conf": lines[driver]} if driver in lines else {}
