"""A filesystem that cannot be opened: encrypted without a key, of an unsupported type, or on an incomplete volume."""

from __future__ import annotations

from v2vlint.disk.filesystems.formats import format_of
from v2vlint.guest.subtree import Nothing
from v2vlint.model.blocks import BlockDevice


class Closed:
    """The filesystem of ``device``, of which nothing else is known. Boot loaders cannot read it either: to them it is empty."""

    def __init__(self, device: BlockDevice) -> None:
        self.type, self.uuid, self.label = device.fs_type, device.uuid, device.label
        self.stale = f"{device.name} {_reason(device)}"
        self.root = Nothing()
        self.device = device

    def as_it_lies(self) -> Unseen:
        """An empty tree."""
        return Unseen(self)


class Unseen:
    """A locked filesystem as a boot loader sees it."""

    def __init__(self, system: Closed) -> None:
        self.type, self.uuid, self.label, self.stale = system.type, system.uuid, system.label, ""
        self.root = Nothing()


def _reason(device: BlockDevice) -> str:
    """Why ``device`` is not open, as the continuation of its name."""
    if device.fs_type == "crypto_LUKS":
        return "is encrypted, and no key given opens it"
    known = format_of(device.fs_type)
    return f"cannot be read: {device.problem or f'{known.title if known else device.fs_type} is not supported'}"
