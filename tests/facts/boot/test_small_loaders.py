"""Limine and rEFInd: what their menus start."""

from __future__ import annotations

import re
import time

import pytest

from guestbuild.pe import application
from tests.facts.boot.test_efi_programs import DISKS, TOP
from tests.facts.guests import DEBIAN
from tests.verdicts.asking import ROOT, store
from v2vlint.facts.boot.bls import _FIELD
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.grub.legacy import _COMMAND
from v2vlint.facts.boot.limine import _FORMS, _expanded
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.samples.boot import VERSION, sample_initramfs, sample_kernel
from v2vlint.samples.memory import MemoryFileSystem

LIMINE = application({".text": b"limine.conf"})
REFIND = application({".text": "rEFInd".encode("utf-16-le")})
KERNEL = {f"/boot/efi/{name.removeprefix('/boot/')}": data for name, data in sample_kernel().items() if name.startswith("/boot/")}
KERNEL |= {"/boot/efi/initrd": sample_initramfs(), **{name: data for name, data in sample_kernel().items() if "/modules/" in name}}
NEW = f"""timeout: 3
${{ARGS}}=nothing
${{ARGS}}=ro
/+Linux
    //Newest
    protocol: linux
    path: boot():/vmlinuz-{VERSION}
    cmdline: root=UUID=0a1b2c3d-0000-4000-8000-000000000001 ${{ARGS}}${{NONE}}
    module_path: boot():/initrd
    //Gone
    protocol: linux
    kernel_path: boot():/nothing#{"0" * 128}
/Windows
    protocol: efi
    path: boot():/EFI/Microsoft/Boot/bootmgfw.efi
"""
OLD = f":Linux\nPROTOCOL=linux\nKERNEL_PATH=boot:///vmlinuz-{VERSION}\nKERNEL_CMDLINE=ro root=/dev/vda2\nMODULE_PATH=boot:///initrd\n"


def _guest(files: dict[str, str | bytes]) -> FactStore:
    """A guest whose ESP is a filesystem of its own."""
    esp = {name.removeprefix("/boot/efi"): data for name, data in files.items() if name.startswith("/boot/efi/")}
    root = {name: data for name, data in files.items() if not name.startswith("/boot/efi/")}
    fs = GuestFS(
        {"/": MemoryFileSystem({**root, "/boot/efi/hidden": b""}, "ext4", ROOT), "/boot/efi": MemoryFileSystem(esp, "vfat", "AB-CD")}
    )
    return store({}, fs, DISKS, DEBIAN)


def _loader(files: dict[str, str | bytes]) -> Bootloader:
    return _guest({**KERNEL, **files}).get(Bootloader)


@pytest.mark.parametrize(
    ("config", "title", "kernel"),
    [
        (f"default_entry: 2\n{NEW}", "Newest", f"/boot/efi/vmlinuz-{VERSION}"),
        (f"default_entry: 3\n{NEW}", "Gone", "/boot/efi/nothing"),
        (f"default_entry: 4\n{NEW}", "Windows", ""),
        (
            f"${{N}}=2\ndefault_entry: ${{N}}\n{NEW}".replace("boot():/vmlinuz", "${P}:/vmlinuz") + "${P}=boot()\n",
            "Newest",
            f"/boot/efi/vmlinuz-{VERSION}",
        ),
        (NEW, "", ""),
        (f"default_entry: 2\n{NEW.replace('timeout: 3', 'timeout: no')}", "", ""),
        (NEW.replace("/+Linux", "/Linux"), "", ""),
    ],
)
def test_the_entry_that_limine_starts(config: str, title: str, kernel: str) -> None:
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": LIMINE, "/boot/efi/limine.conf": config})
    assert found.loader == "limine"
    assert [entry.title for entry in found.entries] == ["Newest", "Gone", "Windows"]
    assert (found.default.title if found.default else "", found.default.kernel if found.default else "") == (title, kernel)


def built(*paths: str) -> bytes:
    """A Limine with these paths in it."""
    return application({".text": b"limine.conf\0", ".rodata": "".join(f"{path}\0" for path in paths).encode()})


OLD_PLACES = ("/limine.conf", "/limine/limine.conf", "/boot/limine.conf", "/boot/limine/limine.conf", "/EFI/BOOT/limine.conf")
NEW_PLACES = ("/boot/limine/limine.conf", "/boot/limine.conf", "/limine/limine.conf", "/limine.conf")


@pytest.mark.parametrize(
    ("paths", "there", "reads"),
    [
        ((*OLD_PLACES, "/limine.cfg"), ("EFI/BOOT/limine.conf", "limine.conf"), "limine.conf"),
        ((*OLD_PLACES, "/limine.cfg"), ("EFI/BOOT/limine.conf", "limine.cfg"), "EFI/BOOT/limine.conf"),
        (OLD_PLACES, ("EFI/limine/limine.conf",), ""),
        ((*OLD_PLACES, "/EFI/limine/limine.conf"), ("EFI/limine/limine.conf",), "EFI/limine/limine.conf"),
        (NEW_PLACES, ("EFI/BOOT/limine.conf", "limine.conf", "boot/limine.conf"), "EFI/BOOT/limine.conf"),
        (NEW_PLACES, ("limine.conf", "boot/limine.conf"), "boot/limine.conf"),
        (NEW_PLACES, ("EFI/limine/limine.conf",), ""),
    ],
)
def test_where_limine_looks(paths: tuple[str, ...], there: tuple[str, ...], reads: str) -> None:
    """As 8.2 does in OVMF, and as the commits of its CONFIG.md have it."""
    files: dict[str, str | bytes] = {f"/boot/efi/{path}": f"default_entry: 2\n{NEW}" for path in there}
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": built(*paths), **files})
    assert [menu.config.path for menu in found.menus] == ([f"/boot/efi/{reads}"] if reads else [])
    assert (found.default is not None) is bool(reads and not reads.endswith("cfg"))


def test_what_limine_loads() -> None:
    facts = _guest({**KERNEL, f"{TOP}/BOOT/BOOTX64.EFI": LIMINE, f"{TOP}/BOOT/limine.conf": f"default_entry: 2\n{NEW}"})
    choice = facts.get(BootChoices).default
    assert choice is not None
    assert choice.kernel is not None
    assert (choice.initrds, [str(arg) for arg in choice.args]) == (
        ("/boot/efi/initrd",), ["root=UUID=0a1b2c3d-0000-4000-8000-000000000001", "ro"],
    )  # fmt: skip


def test_the_older_form_of_limine() -> None:
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": application({".text": b"limine.cfg"}), "/boot/efi/limine.cfg": OLD})
    assert found.default is not None
    assert (found.default.kernel, str(found.default.root)) == (f"/boot/efi/vmlinuz-{VERSION}", "root=/dev/vda2")


def test_limine_and_a_kernel_that_is_not_on_fat() -> None:
    config = NEW.replace("/vmlinuz-", "/boot/vmlinuz-").replace("boot():", f"uuid({ROOT}):")
    found = _loader({**sample_kernel(), f"{TOP}/BOOT/BOOTX64.EFI": LIMINE, "/boot/efi/limine.conf": f"default_entry: 2\n{config}"})
    assert found.entries[0].kernel == f"/boot/vmlinuz-{VERSION}"
    assert found.default is None
    assert "whether this Limine reads ext4" in found.default_reason


def test_two_configurations_of_limine() -> None:
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": LIMINE, "/boot/efi/limine.conf": NEW, "/boot/efi/boot/limine.conf": NEW})
    assert found.default is None
    assert "depends on its version" in found.default_reason


@pytest.mark.parametrize(("length", "starts"), [(400, True), (4000, False), (400_000, False)])
def test_macros_for_which_limine_has_no_room(length: int, starts: bool) -> None:
    """``init_config`` of 8.2 reserves four times the file, whatever its values are cut to later."""
    macro = f"${{A}}={'x' * 80}\n"
    config = f"{macro}default_entry: 2\n{NEW.replace('cmdline: ', 'cmdline: ' + '${A}' * (length // 40))}"
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": LIMINE, "/boot/efi/limine.conf": config})
    assert (found.default is not None) is starts
    assert ("has no room" in found.default_reason) is not starts


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ("a${A}b${A}", "axbx"), ("${B}${A}", "x"), ("${A", "${A"), ("${A}${A", "x${A"), ("${${A}}", "}"), ("}${A}", "}x"),
        ("$${A}{A}", "$x{A}"),
        pytest.param("${" * 100_000, "${" * 100_000, id="never closed"),
        pytest.param("${" * 100_000 + "}", "", id="closed once"),
    ],
)  # fmt: skip
def test_references_to_macros(value: str, title: str) -> None:
    """Up to the first brace that closes them; in time that grows with the line, and no faster."""
    start = time.process_time()
    assert _expanded(value, {"A": "x"}) == title
    assert time.process_time() - start < 0.5


BLANKS = "x" + " " * 30_000 + "x"


@pytest.mark.parametrize(
    ("pattern", "line"), [*((one, f"{mark}{BLANKS}") for forms in _FORMS.values() for one in forms for mark in ("/", ":", "a:", "a=")),
                          (_FIELD, f"title {BLANKS}"), (_COMMAND, f"title {BLANKS}")],
)  # fmt: skip
def test_values_with_many_blanks(pattern: re.Pattern[str], line: str) -> None:
    start = time.process_time()
    assert (match := pattern.match(f"{line}  ")) is None or match[match.re.groups] == BLANKS
    assert time.process_time() - start < 0.5


STANZA = f"""menuentry "Arch Linux" {{
    loader   /vmlinuz-{VERSION}
    initrd   /initrd
    options  "root=/dev/vda2 rw"
    submenuentry "Fallback" {{
        initrd /other
    }}
}}
menuentry Old {{
    loader /EFI/old.efi
    disabled
}}
"""


@pytest.mark.parametrize(
    ("config", "title", "titles"),
    [
        (f"scanfor manual\ndefault_selection Arch\n{STANZA}", "Arch Linux", [f"vmlinuz-{VERSION}", "Arch Linux"]),
        (f'default_selection "+,arch"\n{STANZA}', "Arch Linux", [f"vmlinuz-{VERSION}", "Arch Linux"]),
        (STANZA, "", [f"vmlinuz-{VERSION}", "Arch Linux"]),
        (f"scanfor internal\n{STANZA}", f"vmlinuz-{VERSION}", [f"vmlinuz-{VERSION}"]),
        ("# nothing\n", f"vmlinuz-{VERSION}", [f"vmlinuz-{VERSION}"]),
    ],
)
def test_what_refind_starts(config: str, title: str, titles: list[str]) -> None:
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": REFIND, f"{TOP}/BOOT/refind.conf": config})
    assert [entry.title for entry in found.entries] == (titles[1:] if "scanfor manual" in config else titles)
    assert (found.default.title if found.default else "") == title


@pytest.mark.parametrize(
    ("config", "place", "found"),
    [
        ("", "EFI/debian", True),
        ("", "EFI/BOOT", False),
        ("", "EFI/tools", False),
        ("", "boot", True),
        ("", "k", False),
        ("also_scan_dirs k\n", "k", True),
        ("also_scan_dirs k\n", "boot", False),
        ("also_scan_dirs +,k\n", "boot", True),
        ("also_scan_dirs ESP:k,other\n", "k", False),
    ],
)
def test_where_refind_looks_for_kernels(config: str, place: str, found: bool) -> None:
    """Booted in OVMF: ``EFI/debian`` and ``+,k``."""
    files: dict[str, str | bytes] = {
        f"{TOP}/BOOT/BOOTX64.EFI": REFIND,
        f"{TOP}/BOOT/refind.conf": config,
        f"/boot/efi/{place}/vmlinuz-9.9": b"kernel",
    }
    assert (f"/boot/efi/{place}/vmlinuz-9.9" in [entry.kernel for entry in _loader(files).entries]) is found


def test_arguments_beside_the_kernel() -> None:
    lines = '# comment\n"Boot with standard options"  "root=/dev/vda2 ro quiet"\n"Single" "single"\n'
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": REFIND, "/boot/efi/refind_linux.conf": lines})
    assert found.default is not None
    assert [str(arg) for arg in found.default.args] == ["root=/dev/vda2", "ro", "quiet"]


@pytest.mark.parametrize("given", ["initrd", "\\initrd", "/initrd", "k\\initrd"])
def test_an_initramfs_that_the_kernel_itself_reads(given: str) -> None:
    """Its EFI stub does, from the top of the volume it is on; as in OVMF."""
    lines = f'"Boot" "root=/dev/vda2 ro initrd={given}"\n'
    place = f"/boot/efi/{given.strip('/').replace(chr(92), '/').strip('/')}"
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": REFIND, "/boot/efi/refind_linux.conf": lines})
    assert [entry.initrds for entry in found.entries] == [(place,)]
    stanza = f'menuentry A {{\n  loader /vmlinuz-{VERSION}\n  options "ro initrd={given}"\n}}\n'
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": REFIND, f"{TOP}/BOOT/refind.conf": f"scanfor manual\n{stanza}"})
    assert [entry.initrds for entry in found.entries] == [(place,)]


def test_a_stanza_s_arguments_have_their_places() -> None:
    found = _loader({f"{TOP}/BOOT/BOOTX64.EFI": REFIND, f"{TOP}/BOOT/refind.conf": f"default_selection Arch\n{STANZA}"})
    assert found.default is not None
    assert found.default.initrds == ("/boot/efi/initrd",)
    assert found.default.root is not None
    assert str(found.default.root.where) == f"{TOP}/BOOT/refind.conf:5:15"
