"""Sizes as definitions write them."""

from __future__ import annotations

import pytest

from v2vlint.cli.main import main
from v2vlint.model.units import scaled
from v2vlint.source.kinds import kubevirt, proxmox
from v2vlint.target.libvirt import from_text


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("1.5Gi", 3 << 29), ("2G", 2 * 10**9), ("500m", 0), ("2500m", 2), ("0.5Ki", 512), ("x", 0), ("1.5", 1)]
)
def test_quantities_of_kubernetes(text: str, size: int) -> None:
    assert kubevirt._bytes(text) == size


@pytest.mark.parametrize(("text", "size"), [("32G", 32 << 30), ("1.5T", 3 << 39), ("528K", 528 << 10), ("0.25M", 1 << 18), ("", -1)])
def test_sizes_of_proxmox(text: str, size: int) -> None:
    assert proxmox._size(text) == size


def test_a_fraction_is_rounded_down() -> None:
    assert [scaled(text, 1 << 10) for text in ("0.001", "1.0009", "3")] == [1, 1024, 3072]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("TB", 10**12), ("gb", 10**9)],
)
def test_memory_of_a_libvirt_target(unit: str, factor: int) -> None:
    told = f" unit='{unit}'" if unit else ""
    disk = "<disk device='disk'><target dev='vda' bus='virtio'/></disk>"
    assert (
        from_text("a", f"<domain type='kvm'><memory{told}>4096</memory><devices>{disk}</devices></domain>").ram_mib == 4096 * factor >> 20
    )


@pytest.mark.parametrize("argument", ["", "=x", " "])
def test_an_argument_of_nothing_is_a_usage_error(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", argument]) == 2
    assert "bug" not in capsys.readouterr().err
