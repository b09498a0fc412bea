"""Where a guest comes from: what the user named, and the disk files behind it. Both travel between parent and child."""

from __future__ import annotations

from dataclasses import dataclass, field

from v2vlint.model.definition import Definition


@dataclass(frozen=True, slots=True)
class GuestRef:
    """One guest as the user named it. ``kind`` is ``disks``, ``ova``, ``ovf``, ``vmx`` or ``libvirt``.

    ``paths`` are host paths: the disks in order, or the one definition file. ``text`` holds a definition that is no file (the XML that
    ``virsh dumpxml`` printed for ``domain:NAME``).
    """

    name: str
    kind: str
    paths: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A disk image: a host file, or ``length`` bytes of one from ``offset`` on (a member of an OVA; -1 is up to the end).

    ``name`` is what messages call it, ``format`` the stated image format (``raw``, ``qcow2``…) or empty to go by its magic.
    ``siblings`` maps names that the image may refer to (extents of a VMDK inside an OVA) to where they are.
    """

    path: str
    name: str
    offset: int = 0
    length: int = -1
    format: str = ""
    siblings: tuple[DiskFile, ...] = ()


@dataclass(frozen=True, slots=True)
class GuestSource:
    """The disks of one guest, in order, and its definition if there is one. ``remarks`` say what of the definition was left out."""

    name: str
    disks: tuple[DiskFile, ...]
    definition: Definition | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A passphrase or key file content for the encrypted device ``device`` (a name, UUID or label); empty means every one."""

    secret: bytes = field(repr=False)
    device: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of a run."""

    keys: tuple[Key, ...] = ()

    def matching(self, *names: str) -> tuple[bytes, ...]:
        """Secrets to try on the device known by any of ``names``: its own first, then those for every device."""
        folded = {name.lower() for name in names if name}
        own = tuple(key.secret for key in self.keys if key.device.lower() in folded)
        return own + tuple(key.secret for key in self.keys if not key.device)
