"""What works on this machine, and what each missing piece costs."""

from __future__ import annotations

import enum
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from v2vlint import accel, confine, isolate, programs
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import V2vlintError

_READERS = (
    ("dissect.fve", "LUKS and BitLocker"),
    ("dissect.ntfs", "NTFS, for Windows guests"),
    ("dissect.regf", "the registry of Windows guests"),
    ("dissect.util", "btrfs and squashfs compressed with LZO"),
    ("pycdlib", "ISO 9660"),
    ("zstandard", "initramfs images and qcow2 clusters compressed with zstd"),
    ("lz4", "initramfs images compressed with lz4"),
)
_FIRMWARE = ("/usr/share/OVMF", "/usr/share/edk2/ovmf", "/usr/share/qemu")

_APPLIANCES = ("/usr/lib64/guestfs/supermin.d", "/usr/lib/guestfs/supermin.d")


class State(enum.StrEnum):
    """OK works, MISSING costs something, BROKEN prevents v2vlint from working."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class PieceState:
    """One piece: its state, and what its absence costs."""

    piece: str
    state: State
    detail: str
    cost: str = ""


def examine() -> Iterator[PieceState]:
    """Examine everything v2vlint can use on this machine."""
    yield PieceState("python", State.OK, f"{platform.python_version()} ({sys.executable})")
    yield _child()
    yield _confinement()
    yield _packs()
    for name, reads in _READERS:
        yield _library(name, reads)
    yield _optional("lzo", "python-lzo", "initramfs images compressed with lzo")
    yield _program("qemu-img", "converting and fixing images", "--version")
    yield _program("qemu-system-x86_64", "'prove', booting a guest", "--version")
    yield _program("qemu-system-aarch64", "'prove', booting a guest for 64-bit ARM", "--version")
    yield _kvm()
    yield _ovmf()
    yield _guestfs()
    yield _ntfs_writing()
    yield _program("virsh", "domain:NAME", "--version")


def _child() -> PieceState:
    outcome = isolate.run(isolate.Call("operator:neg", 1), isolate.Limits(wall=30))
    if isinstance(outcome, isolate.Answer) and outcome.value == -1:
        return PieceState("reader process", State.OK, "starts, with memory and time limits")
    return PieceState("reader process", State.BROKEN, str(outcome), "no image can be read")


def _confinement() -> PieceState:
    missing = confine.lacking()
    if not missing:
        return PieceState("confinement", State.OK, f"Landlock (version {confine.landlock.version()}) and seccomp")
    cost = "a reader taken over by a hostile image could do more than read that image (see SECURITY.md)"
    return PieceState("confinement", State.MISSING, f"this kernel lacks {' and '.join(missing)}", cost)


def _packs() -> PieceState:
    from v2vlint.engine.packs import load_all

    try:
        rules = load_all()
    except V2vlintError as error:
        return PieceState("rule packs", State.BROKEN, error.message, "nothing can be judged")
    packs = sorted({rule.pack for rule in rules})
    if not rules:
        return PieceState("rule packs", State.BROKEN, "no rules are installed", "nothing can be judged")
    return PieceState("rule packs", State.OK, f"{len(rules)} rules from {', '.join(packs)}")


def _library(name: str, reads: str) -> PieceState:
    try:
        importlib.import_module(name)
        return PieceState(name, State.OK, version(name))
    except (ImportError, PackageNotFoundError) as error:
        return PieceState(name, State.BROKEN, str(error), f"cannot read {reads}")


def _optional(module: str, package: str, reads: str) -> PieceState:
    try:
        importlib.import_module(module)
    except ImportError:
        return PieceState(package, State.MISSING, "not installed", f"slower reading of {reads}: pip install 'v2vlint[lzo]'")
    return PieceState(package, State.OK, "installed")


def _program(name: str, use: str, *arguments: str) -> PieceState:
    path = programs.find(name)
    if path is None:
        return PieceState(name, State.MISSING, programs.absence(name).removeprefix(f"{name} is "), f"needed for {use}")
    try:
        command = [path, *arguments]
        done = subprocess.run(command, capture_output=True, timeout=20, check=True, cwd=programs.NEUTRAL, env=programs.environment())
    except (OSError, subprocess.SubprocessError) as error:
        return PieceState(name, State.MISSING, f"does not start: {error}", f"needed for {use}")
    words = done.stdout.decode("utf-8", "replace").split("\n", 1)[0].strip()
    return PieceState(name, State.OK, words)


def _kvm() -> PieceState:
    found = accel.acceleration()
    if found.kvm:
        return PieceState("KVM", State.OK, "works")
    return PieceState("KVM", State.MISSING, found.reason, "'prove' and libguestfs use software emulation, about ten times slower")


def _ovmf() -> PieceState:
    found = next((path for folder in _FIRMWARE for path in sorted(Path(folder).glob("*OVMF_CODE*.fd"))), None)
    if found is None:
        return PieceState("OVMF", State.MISSING, "no UEFI firmware for QEMU found", "'prove' cannot boot UEFI guests")
    return PieceState("OVMF", State.OK, str(found))


def _guestfs() -> PieceState:
    cost = "no second opinion on images, and no fixes for layouts that only it can write"
    interpreter = programs.guestfs_python()
    if interpreter:
        return PieceState("libguestfs", State.OK, f"its Python module is importable by {interpreter}")
    return PieceState("libguestfs", State.MISSING, "no interpreter here can import guestfs", cost)


def _ntfs_writing() -> PieceState:
    """The appliance takes ntfs-3g from this machine, or on RHEL and its derivatives from libguestfs-winsupport."""
    path = programs.find("ntfs-3g") or next((path for path in ("/sbin/ntfs-3g", "/bin/ntfs-3g") if os.access(path, os.X_OK)), None)
    bundled = next((file for folder in _APPLIANCES for file in sorted(Path(folder).glob("*winsupport*"))), None)
    if path or bundled:
        return PieceState("ntfs-3g", State.OK, str(path or bundled))
    return PieceState("ntfs-3g", State.MISSING, "neither ntfs-3g nor libguestfs-winsupport is installed", "no fixes for Windows guests")
