"""Where a guest comes from: what the user named, and the disk files behind it. Both travel between parent and child."""

from __future__ import annotations

from dataclasses import dataclass, field

from v2vlint.model.definition import Definition


@dataclass(frozen=True, slots=True)
class GuestRef:
    """One guest as the user named it. ``kind`` is ``disks``, ``ova``, ``ovf``, ``vmx`` or ``libvirt``.

    ``paths`` are host paths: the disks in order, or the one definition file. ``text`` holds a definition that is no file (the XML that
    libvirt gave for ``domain:NAME``); then ``state`` is that of the live domain when it is not shut off (``running``…), ``snapshots`` are
    the names of its snapshots, and ``volumes`` pairs of a disk's target and its path, for disks in storage pools. ``verify`` asks for the
    checksums of all files that a manifest names, not only of the descriptor. ``problem`` says why there is nothing to read (no such file,
    no such domain) and ``hint`` what can be done: it is told of this guest, and the others go on.
    """

    name: str
    kind: str
    paths: tuple[str, ...]
    text: str = ""
    state: str = ""
    snapshots: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    verify: bool = False
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A disk image: a host file, or ``length`` bytes of one from ``offset`` on (a member of an OVA; -1 is up to the end).

    ``name`` is what messages call it, ``format`` the stated image format (``raw``, ``qcow2``…) or empty to go by its magic.
    ``siblings`` maps names that the image may refer to (extents of a VMDK inside an OVA) to where they are. ``chunks`` are the pieces, in
    order, of a file that an OVF envelope cut up.
    """

    path: str
    name: str
    offset: int = 0
    length: int = -1
    format: str = ""
    siblings: tuple[DiskFile, ...] = ()
    chunks: tuple[DiskFile, ...] = ()


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
