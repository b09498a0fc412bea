"""systemd-boot and rEFInd, in OVMF, say which entry they start; the forecast says the same. About a minute each on a quiet machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guestbuild.debs import unpacked
from tests.disk.boot import uapi
from tests.disk.boot.ovmf import shown
from tests.disk.boot.uapi import ARGS, FALLBACK, GOOD_ROOT, Layout, entry
from v2vlint import target
from v2vlint.model.finding import Stage
from v2vlint.model.source import GuestRef
from v2vlint.proving import forecast

SECONDS = 120
LOST = "root=UUID=11111111-2222-4333-8444-555555555555"


def _boot() -> dict[str, bytes]:
    return {FALLBACK: uapi.program("systemd-bootx64.efi"), "loader/loader.conf": b"timeout 0\n"}


def _esp(**entries: bytes) -> Layout:
    return Layout(_boot() | uapi.pair() | {f"loader/entries/{name}.conf": text for name, text in entries.items()})


SHAPES: dict[str, tuple[str, Callable[[Path], Layout]]] = {
    "an entry on the ESP": ("one", lambda _folder: _esp(a=entry("one", GOOD_ROOT))),
    "no kernel": ("", lambda _folder: _esp(a=entry("one", GOOD_ROOT, linux="/none"))),
    "no initramfs": ("", lambda _folder: _esp(a=entry("one", GOOD_ROOT, initrd="/none"))),
    "an entry on XBOOTLDR": ("one", lambda _folder: Layout(_boot(), uapi.pair() | {"loader/entries/a.conf": entry("one", GOOD_ROOT)})),
    "not typed as XBOOTLDR": (
        "", lambda _folder: Layout(_boot(), uapi.pair() | {"loader/entries/a.conf": entry("one", GOOD_ROOT)}, "linux"),
    ),
    "one used up": ("one", lambda _folder: _esp(**{"b+0-3": entry("two", LOST), "a+3-0": entry("one", GOOD_ROOT)})),
    "all used up": ("two", lambda _folder: _esp(**{"b+0-3": entry("two", GOOD_ROOT), "a+0": entry("one", LOST)})),
    "unified": ("unified", lambda folder: Layout(_boot() | {"EFI/Linux/d.efi": uapi.unified(folder, f"mark=unified {GOOD_ROOT}")})),
    "an add-on for a stub without them": ("unified", lambda folder: _with_addon(folder)),
    "a kernel as a program": ("one", lambda _folder: _esp(a=_as_program("one"))),
    "rEFInd, a kernel in a folder of EFI": ("auto", lambda _folder: _refind("EFI/debian")),
    "rEFInd, a kernel in a folder that it is told": ("auto", lambda _folder: _refind("k", "also_scan_dirs +,k\n")),
    "rEFInd, a stanza": ("one", lambda _folder: _refind("k", _stanza())),
    "unified as the fallback": ("unified", lambda folder: Layout({FALLBACK: uapi.unified(folder, f"mark=unified {GOOD_ROOT}")})),
}  # fmt: skip


def _with_addon(folder: Path) -> Layout:
    """Debian 12's stub is of systemd 252."""
    image = uapi.unified(folder, f"mark=unified {GOOD_ROOT}")
    return Layout(_boot() | {"EFI/Linux/d.efi": image, "EFI/Linux/d.efi.extra.d/x.addon.efi": uapi.addon(folder, f"mark=addon {LOST}")})


def _stanza() -> str:
    release = uapi.kernel()[0]
    options = f'"{ARGS} mark=one {GOOD_ROOT}"'
    return f"scanfor manual\nmenuentry one {{\nloader /k/vmlinuz-{release}\ninitrd /k/initrd.img-{release}\noptions {options}\n}}\n"


def _as_program(mark: str) -> bytes:
    """The kernel's own EFI stub reads the initramfs."""
    return f"title {mark}\nefi /k/vmlinuz\noptions {ARGS} mark={mark} {GOOD_ROOT} initrd=\\k\\initrd\n".encode()


def _refind(folder: str, config: str = "") -> Layout:
    """A kernel with its initramfs in ``folder``."""
    release, image = uapi.kernel()
    line = f'"Boot" "{ARGS} mark=auto {GOOD_ROOT}"\n'.encode()
    kernel = {f"vmlinuz-{release}": image, f"initrd.img-{release}": uapi.initramfs(), "refind_linux.conf": line}
    refind = (unpacked("refind") / "usr/share/refind/refind/refind_x64.efi").read_bytes()
    beside = {FALLBACK: refind, "EFI/BOOT/refind.conf": f"timeout 1\ntextonly\n{config}".encode()}
    return Layout(beside | {f"{folder}/{name}": data for name, data in kernel.items()})


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "one used up" else pytest.mark.truth) for name in SHAPES]
)
def test_ovmf_starts_what_is_forecast(name: str, tmp_path: Path) -> None:
    mark, make = SHAPES[name]
    disk = uapi.build(tmp_path / "guest", make(tmp_path / "made"))
    predicted = forecast(GuestRef("guest", "disks", (str(disk),)), target.load("kvm"))
    assert predicted is not None
    assert predicted.will_boot is bool(mark)
    if mark not in ("", "auto", "unified"):
        assert next(stage.reason for stage in predicted.stages if stage.stage is Stage.ENTRY).startswith(f"{mark} ")
    console = shown(disk, awaited=r"mark=\w+ .*\n|Shell>", seconds=SECONDS)
    assert list(dict.fromkeys(re.findall(r"mark=(\w+) ", console))) == ([mark] if mark else [])
