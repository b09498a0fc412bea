"""What the rules on X say, held to what Xorg did on QEMU's cards: ``xorg_cells.tsv``, recorded by ``tests/truth/xorg.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.xorg import configurations
from tests.verdicts.asking import store
from v2vlint.model.rule import Content, Rule
from v2vlint.samples.boot import EXT4, VIRTIO, sample_boot, sample_kernel
from v2vlint.target import load
from v2vlint_checks.display.xorg_bus_id import XorgBusId
from v2vlint_checks.display.xorg_fixed_driver import XorgFixedDriver

CELLS = [line.split("\t") for line in Path(__file__).with_name("xorg_cells.tsv").read_text("utf-8").splitlines() if line]
MODULES = (*VIRTIO, *EXT4, "virtio_gpu", "bochs", "cirrus", "qxl", "vmwgfx")
MODELS = {"std": "vga", "vmware": "vmvga"}
DRIVERS = ("fbdev", "modesetting", "qxl", "vesa", "vmware")
VESA = "vesa: Refusing to run, Framebuffer or dri device present"
ARGUMENTS = {"kms": "", "nomodeset": "nomodeset", "vesa-2.6": "nomodeset vga=791"}
DOMAIN = "<domain type='kvm'><devices><disk device='disk'><target dev='vda'/></disk><video><model type='{}'/></video></devices></domain>"


@pytest.mark.parametrize("cell", CELLS, ids=["-".join(cell[:3]) for cell in CELLS])
def test_a_server_that_finds_no_screen_is_foreseen(tmp_path: Path, cell: list[str]) -> None:
    card, kms, name, seen = cell[:4]
    domain = tmp_path / "machine.xml"
    domain.write_text(DOMAIN.format(MODELS.get(card, card)))
    args = f"root=UUID=0a1b2c3d-0000-4000-8000-000000000001 {ARGUMENTS[kms]}"
    kernel = sample_kernel(MODULES, builtin=("vesafb",))
    files: dict[str, Content] = {**sample_boot(kernel, args=args), "/usr/lib/xorg/Xorg": ""}
    files |= {f"/usr/lib/xorg/modules/drivers/{driver}_drv.so": VESA if kms == "vesa-2.6" else "" for driver in DRIVERS}
    if text := configurations()[name]:
        files["/etc/X11/xorg.conf"] = text
    facts = store(files, load(str(domain)))
    assert bool(found(XorgFixedDriver(), facts) or found(XorgBusId(), facts)) is (seen != "up")


def found(rule: Rule, facts: object) -> bool:
    """Whether the rule finds anything."""
    from v2vlint.engine.run import run_rule

    return bool(run_rule(rule, facts).findings)  # type: ignore[arg-type]
