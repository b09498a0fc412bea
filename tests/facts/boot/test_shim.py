"""What comes up behind shim, as in OVMF with Debian's shim, and as shim.c and fallback.c have it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.facts.boot.pe_samples import pe_image
from tests.facts.boot.test_efi_programs import guest
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.shim import handed_on
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Fate
from v2vlint.verdicts.loader import LoaderVerdict

TOP = "/boot/efi/EFI"
GRUB, AGAIN = pe_image({"mods": b"x"}), pe_image({".text": b"fallback"})
SYSTEMD_BOOT = pe_image({".sdmagic": b"#### LoaderInfo: systemd-boot 255 ####\0", ".text": b"x"})
ENTRY = "title Linux\nlinux /linux\noptions root=/dev/sda2\n"


def shim(second: str = r"\\grubx64.efi") -> bytes:
    """A shim that starts ``second``: Debian's has two backslashes, SUSE's one."""
    return pe_image({".text": b"UEFI SHIM\n$Version: 15.8 $\n", ".data": b"\1" * 8 + f"{second}\0".encode("utf-16-le")})


def listed(program: str, mark: str = "\ufeff") -> bytes:
    """A vendor's list of boot entries."""
    return f"{mark}{program},linux,,This is the boot entry\r\n".encode("utf-16-le")


OTHER = {"a/shimx64.efi": shim(), "a/grubx64.efi": GRUB}
BOOT = {"BOOT/BOOTX64.EFI": shim()}
DEBIAN = {"debian/shimx64.efi": shim(), "debian/grubx64.efi": GRUB}
CSV = {"debian/BOOTX64.CSV": listed("shimx64.efi")}
Files = Mapping[str, str | bytes]
CHAINS: dict[str, tuple[Files, list[str]]] = {
    "beside it": ({**BOOT, "BOOT/grubx64.efi": GRUB, **DEBIAN}, ["BOOT/grubx64.efi"]),
    "nothing beside it": ({**BOOT, **DEBIAN}, []),
    "SUSE's name": ({"BOOT/BOOTX64.EFI": shim(r"\grub.efi"), "BOOT/grub.efi": GRUB, "BOOT/grubx64.efi": GRUB}, ["BOOT/grub.efi"]),
    "a name that is not told": ({"BOOT/BOOTX64.EFI": b"MZ UEFI SHIM", "BOOT/grub.efi": GRUB}, ["BOOT/grub.efi"]),
    "by the fallback program": (
        {**BOOT, "BOOT/fbx64.efi": AGAIN, "BOOT/grubx64.efi": GRUB, **DEBIAN, **CSV},
        ["BOOT/fbx64.efi", "debian/shimx64.efi", "debian/grubx64.efi"],
    ),
    "by SUSE's fallback program": (
        {
            "BOOT/bootx64.efi": shim(r"\grub.efi"), "BOOT/fallback.efi": AGAIN, "opensuse/shim.efi": shim(r"\grub.efi"),
            "opensuse/grub.efi": GRUB, "opensuse/boot.csv": listed("shim.efi", ""),
        },
        ["BOOT/fallback.efi", "opensuse/shim.efi", "opensuse/grub.efi"],
    ),
    "the list of the one vendor that has one": (
        {**BOOT, "BOOT/fbx64.efi": AGAIN, **DEBIAN, **OTHER, **CSV},
        ["BOOT/fbx64.efi", "debian/shimx64.efi", "debian/grubx64.efi"],
    ),
    "the lists of two vendors": (
        {**BOOT, "BOOT/fbx64.efi": AGAIN, **DEBIAN, **OTHER, **CSV, "a/BOOT.CSV": listed("shimx64.efi")},
        ["BOOT/fbx64.efi"],
    ),
    "no list": ({**BOOT, "BOOT/fbx64.efi": AGAIN, **DEBIAN}, ["BOOT/fbx64.efi", "debian/shimx64.efi", "debian/grubx64.efi"]),
    "a list that names GRUB": (
        {**BOOT, "BOOT/fbx64.efi": AGAIN, **DEBIAN, "debian/boot.csv": listed("GRUBX64.EFI")}, ["BOOT/fbx64.efi", "debian/grubx64.efi"],
    ),
    "a list that names what is not there": (
        {**BOOT, "BOOT/fbx64.efi": AGAIN, **DEBIAN, "debian/boot.csv": listed("gone.efi")}, ["BOOT/fbx64.efi"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_what_shim_starts(name: str) -> None:
    files, chain = CHAINS[name]
    facts = guest({f"{TOP}/{path}": content for path, content in files.items()})
    efi = facts.get(Efi)
    first = efi.fallback("x86_64")
    assert first is not None
    assert [image.path for image, _shim in handed_on(facts.get(GuestFS), efi, first, "x86_64")] == [f"{TOP}/{path}" for path in chain]
    lonely = [cause.fate for cause in facts.get(LoaderVerdict).shim]
    assert lonely == ([Fate.FAIL] if name == "nothing beside it" else [])


@pytest.mark.parametrize(
    ("files", "loader"),
    [
        ({"BOOT/BOOTX64.EFI": shim(), "BOOT/grubx64.efi": SYSTEMD_BOOT}, "systemd-boot"),
        (
            {
                "BOOT/BOOTX64.EFI": shim(r"\grub.efi"), "BOOT/fallback.efi": AGAIN, "systemd/shim.efi": shim(r"\grub.efi"),
                "systemd/grub.efi": SYSTEMD_BOOT, "systemd/boot.csv": listed("shim.efi"), "opensuse/grub.efi": GRUB,
                "opensuse/grub.cfg": "menuentry a {\n linux /gone\n}\n",
            },
            "systemd-boot",
        ),
        ({"BOOT/BOOTX64.EFI": shim(), "BOOT/grubx64.efi": GRUB, "systemd/systemd-bootx64.efi": SYSTEMD_BOOT}, "grub2"),
    ],
)  # fmt: skip
def test_systemd_boot_behind_shim(files: Files, loader: str) -> None:
    """sdbootutil of openSUSE installs systemd-boot as grub.efi, which is the name that its shim starts."""
    more: Files = {
        "/boot/efi/loader/entries/a.conf": ENTRY,
        "/boot/efi/linux": b"x",
        "/boot/grub/grub.cfg": "menuentry a {\n linux /linux\n}\n",
    }
    facts = guest({**{f"{TOP}/{path}": content for path, content in files.items()}, **more})
    assert facts.get(Bootloader).loader == loader
