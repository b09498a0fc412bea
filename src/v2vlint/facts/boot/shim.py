r"""What shim starts: from ``\EFI\BOOT`` its fallback program, which starts what a vendor's ``BOOTX64.CSV`` names; else what is beside it.

``should_use_fallback`` and ``init_grub`` of shim.c, ``find_boot_options`` of fallback.c (rhboot/shim).
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.efi import Efi, EfiImage
from v2vlint.facts.syntax.caseless import lower_names
from v2vlint.guest.fs import GuestFS

SUFFIXES = {"x86_64": "x64", "i386": "ia32", "aarch64": "aa64"}
MAX_CSV = 1 << 16


def second_stages(shim: EfiImage, arch: str) -> tuple[str, ...]:
    """The names that ``shim`` may be built to start: its own if that can be told, else the usual one and SUSE's."""
    return (shim.starts,) if shim.starts else (f"grub{SUFFIXES.get(arch, 'x64')}.efi", "grub.efi")


def fallback_names(arch: str) -> tuple[str, ...]:
    """The names of the fallback program: the usual one and SUSE's."""
    return f"fb{SUFFIXES.get(arch, 'x64')}.efi", "fallback.efi"


def handed_on(fs: GuestFS | None, efi: Efi, shim: EfiImage, arch: str) -> Iterator[tuple[EfiImage, EfiImage]]:
    """The programs started through the ``shim`` at the fallback path, each with the shim that has to accept it, in order.

    They end with the fallback program where it cannot be told what that starts.
    """
    again = _named(efi.of("boot"), fallback_names(arch))
    if again is None:
        second = _named(efi.of("boot"), second_stages(shim, arch))
        yield from ((second, shim),) if second else ()
        return
    yield again, shim
    found = _registered(fs, efi, arch) if fs else None
    if found is None:
        return
    yield found, shim
    if found.kind == "shim" and (second := _named(efi.of(found.vendor), second_stages(found, arch))) is not None:
        yield second, found


def _named(images: tuple[EfiImage, ...], names: tuple[str, ...]) -> EfiImage | None:
    return next((image for name in names for image in images if image.name == name), None)


def _registered(fs: GuestFS, efi: Efi, arch: str) -> EfiImage | None:
    """The first program that the fallback program registers; None if several vendors have one, whose order is that of the folders."""
    vendors = {vendor: programs for vendor in efi.vendors if (programs := _listed(fs, efi, vendor, arch))}
    if not vendors:  # nothing is registered then; a vendor's own shim is what NVRAM named
        own = (image for vendor in efi.vendors for image in efi.of(vendor) if image.kind == "shim")
        return next((image for image in own if _named(efi.of(image.vendor), second_stages(image, arch))), None)
    if len(vendors) > 1:
        return None
    (vendor, programs), *_others = vendors.items()
    return _named(efi.of(vendor), (programs[0],))


def _listed(fs: GuestFS, efi: Efi, vendor: str, arch: str) -> tuple[str, ...]:
    """The programs named by a vendor's list, in lower case: UTF-16 lines of program, title, arguments and description."""
    folder = efi.of(vendor)[0].folder
    names = lower_names(fs, folder)
    name = next((names[one] for one in (f"boot{SUFFIXES.get(arch, 'x64')}.csv", "boot.csv") if one in names), None)
    text = (fs.head(f"{folder}/{name}", MAX_CSV) or b"").decode("utf-16-le", "replace") if name else ""
    lines = text.lstrip("\ufeff").replace("\r", "\n").split("\n")
    return tuple(program.strip().lower() for line in lines if (program := line.partition(",")[0].strip()))
