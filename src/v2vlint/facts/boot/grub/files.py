"""GRUB's view of files, translated to the guest's: ``($root)/vmlinuz`` on the boot partition is ``/boot/vmlinuz`` to the guest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable

_DEVICE = re.compile(r"\(([^)]*)\)(.*)", re.DOTALL)
_BIOS_DISK = re.compile(r"hd(\d+)(?:,(?:[a-z]+)?(\d+))?")
MAX_STRIPPED = 6


@dataclass(frozen=True, slots=True)
class GuestPath:
    """A guest path, whether something is there, and whether it is on a filesystem of another operating system."""

    path: str
    exists: bool
    foreign: bool = False


@dataclass(frozen=True)
class GrubFiles:
    """Resolves GRUB paths.

    A device is written ``mount:/boot`` (what the guest mounts there), ``uuid:…``, ``label:…``, or GRUB's own ``hd0,msdos1``; anything else
    is unknown. Where the device is unknown, the path is looked for below ``/boot`` and below ``/``.
    """

    fs: GuestFS
    blocks: BlockTable

    def device_of(self, path: str) -> str:
        """The device holding the guest path ``path``."""
        mounts = [mount for mount in self.fs.mounts if path == mount or path.startswith(f"{mount.rstrip('/')}/")]
        return f"mount:{max(mounts, key=len, default='/')}"

    def locate(self, name: str, root: str) -> GuestPath:
        """Where GRUB's ``name`` (``/x`` on the device ``root``, or ``(device)/x``) is in the guest."""
        device, path = root, name
        if match := _DEVICE.fullmatch(name):
            device, path = match[1], match[2]
        path = "/" + path.lstrip("/")
        mounts, foreign = self._mounts(device)
        candidates = [f"{mount.rstrip('/')}{path}" for mount in mounts]
        if not foreign:
            candidates += [f"/boot{path}", path, *_stripped(path)]
        found = next((candidate for candidate in candidates if self.fs.exists(candidate)), None)
        if found is not None:
            return GuestPath(found, exists=True)
        best = candidates[0] if mounts else path if path.startswith("/boot/") or foreign else f"/boot{path}"
        return GuestPath(best, exists=False, foreign=foreign)

    def search(self, kind: str, value: str) -> str | None:
        """What ``search --fs-uuid``, ``--label`` or ``--file`` finds: a device, or None when it certainly finds nothing."""
        if kind == "file":
            mounts = [mount for mount in self.fs.mounts if self.fs.exists(f"{mount.rstrip('/')}/{value.lstrip('/')}")]
            return f"mount:{mounts[0]}" if mounts else ""
        device = f"{kind}:{value}"
        known = self._mounts(device)[0] or self.blocks.tagged(kind.upper(), value)
        certain = self.blocks.complete and self.blocks.devices
        return device if known or not certain else None

    def _mounts(self, device: str) -> tuple[list[str], bool]:
        kind, _, value = device.partition(":")
        if kind == "mount":
            return [value], False
        if match := _BIOS_DISK.fullmatch(device):
            kind, value = "uuid", self._uuid_of(int(match[1]), int(match[2] or 0))
        if kind not in ("uuid", "label") or not value:
            return [], False
        mounts = [mount for mount, system in self.fs.mounts.items() if getattr(system, kind).lower() == value.lower()]
        told_apart = bool(getattr(self.fs.mounts["/"], kind))
        return mounts, not mounts and told_apart and bool(self.blocks.tagged(kind.upper(), value))

    def _uuid_of(self, disk: int, number: int) -> str:
        found = [d for d in self.blocks if d.disk == disk and d.number == number and d.kind in ("disk", "partition")]
        return found[0].uuid if len(found) == 1 else ""


def _stripped(path: str) -> list[str]:
    """The path without its leading directories: on btrfs they may be the subvolume's."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[count:]) for count in range(1, min(len(parts), MAX_STRIPPED))]
