"""Secure Boot on the target: Debian's signed programs, unsigned and foreign ones; OVMF with Microsoft's keys is asked, too."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.disk.boot.ovmf import esp_image, shown
from tests.facts.guests import DEBIAN
from tests.verdicts.asking import FAILS, ROOT, UNSURE, WARNS, Told, store, told
from v2vlint.facts.boot.authenticode import Certificate, PeSignature, signatures
from v2vlint.facts.boot.efi import EfiImage
from v2vlint.facts.boot.secure_boot import Program, SecureBoot, read_program
from v2vlint.facts.kernel.module_signature import MAGIC, is_signed
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Stage
from v2vlint.model.target import SecureBoot as Keys
from v2vlint.model.target import Target
from v2vlint.samples.boot import sample_chain
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load
from v2vlint.target.libvirt import from_text
from v2vlint.verdicts.firmware import FirmwareVerdict
from v2vlint.verdicts.kernel import KernelVerdict
from v2vlint.verdicts.loader import LoaderVerdict

SHIMS, GRUBS = Path("/usr/lib/shim"), Path("/usr/lib/grub")
if not (SHIMS / "shimx64.efi.signed").exists() or not (GRUBS / "x86_64-efi-signed").exists():
    pytest.skip("shim-signed and grub-efi-amd64-signed are not installed", allow_module_level=True)

SHIM, FALLBACK = (SHIMS / "shimx64.efi.signed").read_bytes(), (SHIMS / "fbx64.efi.signed").read_bytes()
GRUB, PLAIN = (GRUBS / "x86_64-efi-signed/grubx64.efi.signed").read_bytes(), (GRUBS / "x86_64-efi/monolithic/grubx64.efi").read_bytes()
KERNEL, UNSIGNED = (SHIMS / "mmx64.efi.signed").read_bytes(), (SHIMS / "mmx64.efi").read_bytes()
"""Programs that stand for a kernel: GRUB has the signature checked before it looks at what it is."""
DISKS = BlockTable(
    (
        BlockDevice("disk1", "disk", 2 << 30, 0, details=(("pt", "gpt"),)),
        BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
        BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "ext4", ROOT),
    ),
    chains=(sample_chain("none"),),
)


@functools.cache
def signed(data: bytes) -> bytes:
    """The program signed with a key that nobody knows."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert, plain, out = (f"{folder}/{name}" for name in ("key", "cert", "in", "out"))
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=our own key/", "-keyout", key, "-out", cert]
        subprocess.run(make, check=True, capture_output=True)
        Path(plain).write_bytes(data)
        subprocess.run(["sbsign", "--key", key, "--cert", cert, "--output", out, plain], check=True, capture_output=True)
        return Path(out).read_bytes()


def flipped(data: bytes) -> bytes:
    """One byte of its text is another one."""
    at = data.index(b"UEFI SHIM")
    return data[:at] + b"X" + data[at + 1 :]


GOOD = {"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": GRUB, "vmlinuz": KERNEL}
SHAPES: dict[str, tuple[Stage | None, Mapping[str, bytes]]] = {
    "all signed by Debian": (None, {}),
    "shim was changed": (Stage.FIRMWARE, {"EFI/BOOT/BOOTX64.EFI": flipped(SHIM)}),
    "an unsigned GRUB alone": (Stage.FIRMWARE, {"EFI/BOOT/BOOTX64.EFI": PLAIN}),
    "GRUB signed by Debian alone": (Stage.FIRMWARE, {"EFI/BOOT/BOOTX64.EFI": GRUB}),
    "a loader with a key of one's own": (Stage.FIRMWARE, {"EFI/BOOT/BOOTX64.EFI": signed(PLAIN)}),
    "shim and an unsigned GRUB": (Stage.LOADER, {"EFI/BOOT/grubx64.efi": PLAIN}),
    "shim and a GRUB with a key of one's own": (Stage.LOADER, {"EFI/BOOT/grubx64.efi": signed(PLAIN)}),
    "shim and an unsigned fallback program": (Stage.LOADER, {"EFI/BOOT/fbx64.efi": (SHIMS / "fbx64.efi").read_bytes()}),
    "an unsigned kernel": (Stage.KERNEL, {"vmlinuz": UNSIGNED}),
    "a kernel with a key of one's own": (Stage.KERNEL, {"vmlinuz": signed(UNSIGNED)}),
}


def guest(changes: Mapping[str, bytes], target: Target | None = None, *given: object) -> FactStore:
    esp = {**GOOD, **changes}
    kernel = esp.pop("vmlinuz")
    files: dict[str, str | bytes] = {f"/boot/efi/{path}": data for path, data in esp.items()}
    files["/boot/efi/EFI/debian/grub.cfg"] = f"search.fs_uuid {ROOT} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    files["/boot/grub/grub.cfg"] = "menuentry a {\n linux /boot/vmlinuz-6.1.0-1-amd64 root=/dev/vda2\n}\n"
    files["/boot/vmlinuz-6.1.0-1-amd64"] = kernel
    return store({}, memory_guest(files, ROOT), DISKS, target or demanding("microsoft"), *given)


def demanding(keys: Keys, name: str = "kvm") -> Target:
    return dataclasses.replace(load(name), secure_boot=keys, firmware=("uefi",))


def stage_of(facts: FactStore) -> Stage | None:
    """The first stage that Secure Boot stops."""
    found = ((FirmwareVerdict, "signed"), (LoaderVerdict, "signed"), (KernelVerdict, "signed"))
    return next((kind.stage for kind, judge in found if FAILS in told(getattr(facts.get(kind), judge))), None)


@pytest.mark.parametrize("name", SHAPES)
def test_what_secure_boot_stops(name: str) -> None:
    stage, changes = SHAPES[name]
    assert stage_of(guest(changes)) is stage


@pytest.mark.truth
@pytest.mark.parametrize("name", SHAPES)
def test_ovmf_agrees(name: str, tmp_path: Path) -> None:
    stage, changes = SHAPES[name]
    files = {**GOOD, **changes, "EFI/debian/grub.cfg": b"linux /vmlinuz\necho the end\nsleep 60\n"}
    stops = {Stage.FIRMWARE: "Denied|Violation", Stage.LOADER: "Violation", Stage.KERNEL: "bad shim signature"}
    text = shown(esp_image(tmp_path / "d.raw", files), awaited=f"{stops[stage]}|the end" if stage else "the end", secure=True)
    assert re.search(stops[stage] if stage else "the end", text), text
    assert ("Welcome to GRUB" in text) is (stage in (Stage.KERNEL, None)), text
    assert ("bad shim signature" in text) is (stage is Stage.KERNEL), text


def test_nobody_demands_signatures() -> None:
    facts = guest({"EFI/BOOT/BOOTX64.EFI": PLAIN}, load("kvm"))
    assert told(facts.get(FirmwareVerdict).signed) == []


def test_the_definition_had_it_switched_on() -> None:
    changes = {"EFI/BOOT/BOOTX64.EFI": PLAIN}
    facts = guest(changes, dataclasses.replace(load("kvm"), firmware=("uefi",)), Definition("libvirt", "x", secure_boot=True))
    assert told(facts.get(FirmwareVerdict).signed) == [WARNS]


def test_keys_that_are_not_known() -> None:
    assert told(guest({}, demanding("own")).get(FirmwareVerdict).signed) == [UNSURE]
    assert told(guest({"EFI/BOOT/BOOTX64.EFI": PLAIN}, demanding("own")).get(FirmwareVerdict).signed) == [FAILS]
    assert told(guest({"vmlinuz": signed(UNSIGNED)}, demanding("own")).get(KernelVerdict).signed) == [UNSURE]


@pytest.mark.parametrize(("kernel", "distro", "wanted"), [
    (KERNEL, "ubuntu", []), (KERNEL, "debian", [UNSURE]), (UNSIGNED, "ubuntu", [FAILS]), (UNSIGNED, "debian", [FAILS]),
])  # fmt: skip
def test_a_kernel_that_was_packed_after_it_was_signed(kernel: bytes, distro: str, wanted: Told) -> None:
    os = dataclasses.replace(DEBIAN, distro=distro)
    assert told(guest({"vmlinuz": gzip.compress(kernel, 1)}, None, os).get(KernelVerdict).signed) == wanted


def test_a_packed_kernel_that_is_cut_off() -> None:
    facts = guest({"vmlinuz": gzip.compress(KERNEL)[:-9]})
    with pytest.raises(FactUnavailable, match="signature cannot be read"):
        list(facts.get(KernelVerdict).signed)


@pytest.mark.parametrize("keys", ["windows", "microsoft"])
@pytest.mark.parametrize(("authorities", "certain"), [
    (("Microsoft Windows Production PCA 2011",), None), (("Windows UEFI CA 2023",), False), (("our own key",), True),
    (("Microsoft Windows Production PCA 2011", "Windows UEFI CA 2023"), None),
])  # fmt: skip
def test_windows_boot_managers(keys: str, authorities: tuple[str, ...], certain: bool | None) -> None:
    """Those of 2023 start where the firmware is as new: the OVMF of 2022 has no such key."""
    names = (b"\x30" + bytes([len(name) + 11]) + b"\x31" + bytes([len(name) + 9]) + b"\x30" + bytes([len(name) + 7])
             + b"\x06\x03\x55\x04\x03\x0c" + bytes([len(name)]) + name.encode() for name in authorities)  # fmt: skip
    made = tuple(PeSignature((Certificate(b"", b"", name, b""),), "sha256", b"") for name in names)
    refusal = SecureBoot(keys, demanded=True).by_firmware(Program("/bootmgfw.efi", made))
    assert (refusal and refusal.certain) is certain, refusal


def test_hypervs_default_template_trusts_windows_only() -> None:
    assert told(guest({}, demanding("windows", "hyperv-gen2")).get(FirmwareVerdict).signed) == [FAILS]


def test_shim_is_read() -> None:
    shim = read_program(memory_guest({"/s": SHIM}), "/s")
    assert [one.name for one in shim.vendor] == ["Debian Secure Boot CA"]
    assert shim.sbat is not None
    assert shim.sbat["shim"] >= 4
    assert shim.level["grub"] >= 3
    assert [len(one.signers) for one in shim.signatures] == [2, 2]


def secure() -> SecureBoot:
    return SecureBoot("microsoft", demanded=True, first=EfiImage("/s", "shim", "x64", 1))


def test_generations() -> None:
    shim, grub = (read_program(memory_guest({"/x": data}), "/x") for data in (SHIM, GRUB))
    assert secure().by_shim(grub, shim) is None
    old = dataclasses.replace(grub, sbat={"sbat": 1, "grub": 2})
    assert "refused by" in getattr(secure().by_shim(old, shim), "reason", "")
    assert "no section .sbat" in getattr(secure().by_shim(dataclasses.replace(grub, sbat=None), shim), "reason", "")
    assert secure().by_shim(dataclasses.replace(grub, sbat=None), shim, kernel=True) is None
    assert secure().by_shim(dataclasses.replace(grub, sbat=None), dataclasses.replace(shim, sbat=None)) is None
    assert "grub has generation 2" in secure().outdated(old)
    assert not secure().outdated(grub)


def test_nothing_that_is_damaged_stops_the_reader() -> None:
    at = int.from_bytes(SHIM[60:64], "little")
    start = int.from_bytes(SHIM[at + 24 + 112 + 32 : at + 24 + 112 + 36], "little")
    for position in range(start, start + 1200, 7):
        data = SHIM[:position] + b"\xff\x84" + SHIM[position + 2 :]
        program = read_program(memory_guest({"/x": data}), "/x")
        assert isinstance(program, Program)
    for end in range(0, 4096, 97):
        assert not signatures(memory_guest({"/x": SHIM[:end] or b" "}).open("/x"))  # type: ignore[arg-type]


def test_modules(tmp_path: Path) -> None:
    import lzma

    import zstandard

    for pack in (bytes, gzip.compress, lambda data: lzma.compress(data, check=lzma.CHECK_CRC32), zstandard.compress):
        fs: GuestFS = memory_guest({"/a": pack(b"\x7fELF" + bytes(99) + MAGIC), "/b": pack(b"\x7fELF" + bytes(99))})
        assert (is_signed(fs, "/a"), is_signed(fs, "/b"), is_signed(fs, "/c")) == (True, False, None)
    for cut in (gzip.compress(bytes(999)), lzma.compress(bytes(999), check=lzma.CHECK_CRC32)):
        assert is_signed(memory_guest({"/a": cut[:-8]}), "/a") is None


@pytest.mark.parametrize(
    ("firmware", "keys"),
    [
        ("<os firmware='efi'><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>", "microsoft"),
        ("<os firmware='efi'><firmware><feature enabled='no' name='enrolled-keys'/></firmware><loader secure='yes'/></os>", ""),
        ("<os><loader secure='yes' type='pflash'/><nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'/></os>", ""),
        ("<os><loader secure='yes' type='pflash'/><nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'/></os>", "microsoft"),
        ("<os firmware='efi'/>", ""),
    ],
)
def test_a_domain_as_target(firmware: str, keys: str) -> None:
    disk = "<disk device='disk'><target dev='vda' bus='virtio'/></disk>"
    assert from_text("a", f"<domain type='kvm'>{firmware}<devices>{disk}</devices></domain>").secure_boot == keys
