"""A kernel that firmware starts directly, by its EFI stub: its arguments are compiled into it, and known by its build configuration."""

from __future__ import annotations

from v2vlint.facts.boot.cmdline import KernelArg, plain_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version, stub_initrds
from v2vlint.facts.kernel.config import config_from
from v2vlint.facts.kernel.image import read_kernel_image
from v2vlint.facts.kernel.kernels import config_path, version_key
from v2vlint.facts.syntax.caseless import volume_path
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import WholeFile

_FIRST_WITH_OWN_INITRD = "6.13"
"""``handle_cmdline_files()`` of libstub/file.c reads ``CONFIG_CMDLINE`` since commit 80d01ce607cb; 6.12.117 does not."""


def stub_menu(fs: GuestFS, path: str) -> BootMenu:
    """The kernel at ``path`` as firmware without any load options starts it."""
    name, image = path.rsplit("/", 1)[1], read_kernel_image(fs, path)
    version = kernel_version(path) or (image.version if image else "")
    args = _compiled_in(fs, version)
    named = stub_initrds(args) if version_key(version)[:2] >= version_key(_FIRST_WITH_OWN_INITRD) else ()
    initrds = tuple(volume_path(fs, fs.mount_of(path), one) for one in named)
    entry = BootEntry(name, name, path, initrds, args, WholeFile(path), path, version=version)
    reason = "the firmware starts this kernel, with the arguments that are compiled into it"
    return BootMenu("efi-stub", "uefi", WholeFile(path), (entry,), entry, reason, (path,))


def _compiled_in(fs: GuestFS, version: str) -> tuple[KernelArg, ...]:
    text = fs.text(where) if (where := config_path(fs, version)) else None
    if text is None:
        return ()
    # arch/x86/Kconfig; arm64 has no CMDLINE_BOOL, and an empty CMDLINE by default.
    config = config_from(text)
    quoted = config.get("CMDLINE") if config.is_set("CMDLINE_BOOL") or "CMDLINE_BOOL" not in config.options else ""
    return plain_args(quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\"), config.where("CMDLINE"))
