"""v2vlint says what will break when a virtual machine lands on other virtual hardware."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from v2vlint.inspecting.library import OpenGuest
    from v2vlint.isolate import Limits

__version__ = "0.1.0"


def open(*images: str | os.PathLike[str], keys: Sequence[bytes | str] = (), limits: Limits | None = None) -> OpenGuest:
    """A guest: ``v2vlint.open("disk.qcow2").machine`` says what it is.

    ``images`` are the disks of one guest in order, or its OVA, OVF, VMX, libvirt XML or ``domain:NAME``. ``keys`` are passphrases to try
    on encrypted disks. The bytes are read by a child process within ``limits``.
    """
    from v2vlint.inspecting.library import open_guest

    return open_guest(images, keys, limits)
