"""Images that need another file are told of, where OpenStack's own inspector refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk.images import need, run
from v2vlint.guest.open import open_ref
from v2vlint.model.source import GuestRef

DETAILS = {"backing_file": "backing", "data_file": "data_file"}


def _told(image: Path) -> dict[str, str]:
    (disk,) = open_ref(GuestRef(image.name, "disks", (str(image),))).blocks.disks
    return {check: name for check, detail in DETAILS.items() if (name := disk.detail(detail))}


def _made(folder: Path, *options: str) -> Path:
    need("qemu-img")
    run("qemu-img", "create", "-q", "-f", "raw", "base.raw", "4M", cwd=folder)
    run("qemu-img", "create", "-q", "-f", "qcow2", *options, "disk.qcow2", "4M", cwd=folder)
    return folder / "disk.qcow2"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), {}),
        (("-F", "raw", "-b", "base.raw"), {"backing_file": "base.raw"}),
        (("-o", "data_file=disk.data"), {"data_file": "disk.data"}),
        (("-o", "compat=0.10"), {}),
    ],
)
def test_as_the_inspector_of_oslo_says(tmp_path: Path, options: tuple[str, ...], told: dict[str, str]) -> None:
    image = _made(tmp_path, *options)
    assert _refused(image) == set(told)
    assert _told(image) == told


def _refused(image: Path) -> set[str]:
    """Which of its safety checks an image fails, by oslo.utils."""
    inspector = pytest.importorskip("oslo_utils.imageutils.format_inspector")
    found = inspector.detect_file_format(str(image))
    try:
        found.safety_check()
    except inspector.SafetyCheckFailed as failed:
        return set(failed.failures)
    return set()


@pytest.mark.parametrize(
    ("subformat", "data"),
    [
        ("monolithicSparse", ""),
        ("streamOptimized", ""),
        ("monolithicFlat", "disk-flat.vmdk"),
        ("twoGbMaxExtentSparse", "disk-s001.vmdk"),
        ("twoGbMaxExtentFlat", "disk-f001.vmdk"),
    ],
)
def test_a_vmdk_that_keeps_its_data_in_other_files(tmp_path: Path, subformat: str, data: str) -> None:
    need("qemu-img")
    run("qemu-img", "create", "-q", "-f", "vmdk", "-o", f"subformat={subformat}", "disk.vmdk", "4M", cwd=tmp_path)
    if not data:
        with (tmp_path / "disk.vmdk").open("r+b") as file:
            file.truncate(max(1 << 20, file.seek(0, 2)))
    assert _told(tmp_path / "disk.vmdk") == ({"data_file": data} if data else {})
    assert bool(_refused(tmp_path / "disk.vmdk")) is bool(data)


def test_the_parent_of_a_vmdk(tmp_path: Path) -> None:
    need("qemu-img")
    run("qemu-img", "create", "-q", "-f", "vmdk", "base.vmdk", "4M", cwd=tmp_path)
    run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", "base.vmdk", "top.vmdk", cwd=tmp_path)
    assert _told(tmp_path / "top.vmdk") == {"backing_file": "base.vmdk"}
    assert _told(tmp_path / "base.vmdk") == {}
