"""GPU vendors' drivers, recognised by their files, and what their installers change: a blacklisted nouveau, a forced driver."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Where, WholeFile

_MODPROBE = ("/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
_BLACKLIST = re.compile(r"^[ \t]*(?:blacklist[ \t]+(nouveau|radeon|amdgpu)\b|install[ \t]+(nouveau|radeon|amdgpu)[ \t]).*$", re.MULTILINE)
_LIBS = ("/usr/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu")
_FILES = {
    "nvidia": (
        "{lib}/xorg/modules/drivers/nvidia_drv.so", "{lib}/nvidia/xorg/nvidia_drv.so", "/usr/bin/nvidia-smi", "/usr/bin/nvidia-settings",
        "/usr/bin/nvidia-persistenced", "/usr/bin/nvidia-uninstall",
    ),
    "fglrx": ("{lib}/xorg/modules/drivers/fglrx_drv.so", "/usr/share/ati/fglrx-uninstall.sh", "/usr/bin/aticonfig"),
    "amdgpu-pro": ("/opt/amdgpu-pro", "/usr/bin/amdgpu-pro-uninstall", "/usr/bin/amdgpu-uninstall"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GpuStack:
    """One vendor's driver: ``where`` is the file that shows it, ``blacklists`` are the lines that block the open-source driver."""

    vendor: str
    where: Where
    blacklists: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuStacks:
    """The vendor GPU drivers installed in the guest."""

    stacks: tuple[GpuStack, ...] = ()


@provides
def find_gpu_stacks(fs: GuestFS) -> GpuStacks:
    """The vendor drivers whose files exist; a blacklist alone does not count."""
    return GpuStacks(tuple(_stacks(fs)))


def _stacks(fs: GuestFS) -> Iterator[GpuStack]:
    lines = tuple(_blacklists(fs))
    for vendor, patterns in _FILES.items():
        paths = [pattern.format(lib=lib) for pattern in patterns for lib in (_LIBS if "{lib}" in pattern else _LIBS[:1])]
        found = next((path for path in paths if fs.exists(path)), None)
        if found is not None:
            mine = {"nouveau"} if vendor == "nvidia" else {"radeon", "amdgpu"}
            yield GpuStack(vendor, WholeFile(found), tuple(where for module, where in lines if module in mine))


def _blacklists(fs: GuestFS) -> Iterator[tuple[str, Span]]:
    for folder in _MODPROBE:
        for name in fs.listdir(folder):
            text = fs.text(f"{folder}/{name}") if name.endswith(".conf") else None
            for match in _BLACKLIST.finditer(text.content) if text is not None else ():
                if text is not None:
                    yield match[1] or match[2], text.span(match.start(), match.end())
