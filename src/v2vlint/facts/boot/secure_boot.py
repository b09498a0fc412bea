"""What Secure Boot allows to start: programs on the ESP by the firmware's keys, what shim starts by its own, kernels by either.

From shim's ``shim.c``, ``mok.c``, ``pe.c`` and ``sbat.c``. Keys that were enrolled manually (MOK) are variables of the source's firmware.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import BinaryIO

from v2vlint.facts.boot.authenticode import Certificate, PeSignature, certificate, is_intact, signatures
from v2vlint.facts.boot.efi import Efi, EfiImage, firmware_arch
from v2vlint.facts.boot.pe import PeImage, read_pe
from v2vlint.facts.boot.sbat import PUBLISHED, automatic_level, generations, revoked
from v2vlint.facts.boot.shim import handed_on
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.initramfs.decompress import CompressedStream, Damaged, Source
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, doubt, fault

_WINDOWS, _NEW_WINDOWS = "Microsoft Windows Production PCA 2011", "Windows UEFI CA 2023"
_OTHERS, _NEW_OTHERS = "Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"
"""By these Microsoft signs what others make: shim above all."""
_OLD = {"windows": frozenset({_WINDOWS}), "microsoft": frozenset({_WINDOWS, _OTHERS})}
_NEW = {"windows": frozenset({_NEW_WINDOWS}), "microsoft": frozenset({_NEW_WINDOWS, _NEW_OTHERS})}
"""What firmware with these keys accepts. The old ones expired in 2026, the new ones are missing in older firmware (OVMF of 2022)."""
MAX_UNPACKED = 256 << 20
MAX_VENDOR = 1 << 16
MAX_CERTIFICATES = 16


@dataclass(frozen=True, slots=True)
class Program:
    """A signed or unsigned program. ``sbat`` is None when it has no such section; a shim has ``vendor``, the certificates that it trusts,
    and ``level``, its revocation level. ``changed`` says that no signature matches the file's content. ``packed``: all of it is about what
    gzip had packed.
    """

    path: str
    signatures: tuple[PeSignature, ...] = ()
    changed: bool = False
    sbat: Mapping[str, int] | None = None
    vendor: tuple[Certificate, ...] = ()
    level: Mapping[str, int] = field(default_factory=dict)
    packed: bool = False

    @property
    def signers(self) -> str:
        """The issuers of its signing certificates, as text."""
        return " and ".join(dict.fromkeys(one.authority or "nobody named" for one in self.signatures))


@dataclass(frozen=True, slots=True)
class SecureBootRefusal:
    """``reason`` continues a sentence that starts with the program's path. It is ``certain`` unless it depends on unknown keys."""

    reason: str
    certain: bool = True


@dataclass(frozen=True)
class SecureBoot:
    """``keys`` are those of the target, empty when nothing has to be signed. ``demanded`` is false if only the definition enables Secure
    Boot.

    ``first`` is the program that the firmware starts, None when it is unknown. ``keeps`` says that enrolled keys travel, ``unpacks`` that
    GRUB checks a kernel after unpacking it: a patch of Ubuntu's, also in Red Hat's, without which it checks the packed file.
    """

    keys: str = ""
    demanded: bool = False
    first: EfiImage | None = None
    keeps: bool = False
    efi: Efi = Efi()
    arch: str = ""
    unpacks: bool = False
    _fs: GuestFS | None = field(default=None, repr=False, compare=False)
    _known: dict[str, Program] = field(default_factory=dict, repr=False, compare=False)

    def of(self, path: str) -> Program:
        """The program at ``path``, read only once."""
        if path not in self._known:
            self._known[path] = read_program(self._fs, path) if self._fs else Program(path)
        return self._known[path]

    def of_kernel(self, path: str) -> Program:
        """The kernel at ``path``, or the one that gzip has packed there: Ubuntu's for arm64 are signed before (LP #2098111)."""
        if path not in self._known and self._fs is not None and (self._fs.head(path, 2) or b"") == b"\x1f\x8b":
            self._known[path] = replace(_program(path, lambda: _unpacked(self._fs, path)), packed=True)
        return self.of(path)

    def by_firmware(self, program: Program) -> SecureBootRefusal | None:
        """Why the firmware may not start ``program``."""
        if (found := _unsigned(program)) is not None:
            return found
        if self.keys == "own":
            return SecureBootRefusal(
                f"is signed by {program.signers}, and whether the target's own keys accept that is not known", certain=False
            )
        if any(one.is_of(_OLD[self.keys]) for one in program.signatures):
            return None
        if any(one.is_of(_NEW[self.keys]) for one in program.signatures):
            return SecureBootRefusal("is signed with Microsoft's key of 2023 alone, which older firmware does not have", certain=False)
        return SecureBootRefusal(f"is signed by {program.signers}, which the firmware does not trust")

    def by_shim(self, program: Program, shim: Program, *, kernel: bool = False) -> SecureBootRefusal | None:
        """Why ``shim`` may not start ``program``; a kernel is verified on behalf of GRUB, and needs no generation."""
        if (found := _unsigned(program)) is not None:
            return found
        trusted = any(one.leads_to(shim.vendor) for one in program.signatures)
        if not trusted and self.by_firmware(program) is not None:
            known = " or ".join(one.name for one in shim.vendor) or "nobody"
            reason = f"is signed by {program.signers}, and {shim.path} trusts {known}: a key that was enrolled on the source stays behind"
            return SecureBootRefusal(reason, certain=self.keys != "own" and not self.keeps)
        if kernel and program.packed and not self.unpacks:
            return SecureBootRefusal("is packed by gzip, and GRUB may look for the signature in the packed file", certain=False)
        if shim.sbat is None or (kernel and program.sbat is None):  # a shim from before SBAT (15.3) asks for no generation
            return None
        if program.sbat is None:
            return SecureBootRefusal(f"has no section .sbat, without which {shim.path} starts nothing")
        old = revoked(program.sbat, shim.level)
        return SecureBootRefusal(f"is refused by {shim.path}: {old}") if old else None

    def refused(self, refusal: SecureBootRefusal, reason: str, where: Where) -> Cause[str]:
        """The cause for the stage: a warning if Secure Boot is required by the definition only."""
        if self.demanded and refusal.certain:
            return fault(True, reason, where, refusal.reason)
        return doubt(self.demanded, reason, where, refusal.reason)

    def outdated(self, program: Program) -> str:
        """The part of the newest published revocation level that ``program`` violates; empty when there is none."""
        found = revoked(program.sbat, PUBLISHED) if program.sbat else None
        return str(found) if found else ""

    def handed_on(self) -> Iterator[tuple[EfiImage, EfiImage]]:
        """The programs started through shim, each with the shim that has to accept it, in order."""
        if self.first is not None and self.first.kind == "shim":
            yield from handed_on(self._fs, self.efi, self.first, self.arch)


def _unsigned(program: Program) -> SecureBootRefusal | None:
    if not program.signatures:
        return SecureBootRefusal("is not signed")
    return SecureBootRefusal("was changed after it was signed") if program.changed else None


def read_program(fs: GuestFS, path: str) -> Program:
    """The program at ``path``; a file that is not a PE image counts as unsigned. FactUnavailable when it cannot be read."""
    return _program(path, lambda: fs.open(path))


def _unpacked(fs: GuestFS | None, path: str) -> BinaryIO | None:
    stream = fs.open(path) if fs else None
    if stream is None:
        return None
    data = bytearray()
    for piece in CompressedStream(Source(stream, 0, stream.seek(0, io.SEEK_END)), 0, "gzip"):
        data += piece
        if len(data) > MAX_UNPACKED:
            raise ValueError(f"it unpacks to more than {MAX_UNPACKED >> 20} MiB")
    return io.BytesIO(data)


def _program(path: str, opened: Callable[[], BinaryIO | None]) -> Program:
    try:
        stream = opened()
        image = read_pe(stream) if stream else None
        if stream is None or image is None:
            return Program(path)
        made = signatures(stream)
        good = tuple(one for one in made if is_intact(stream, one) is not False)
        return Program(
            path, good or made, bool(made) and not good, generations(stream, image), _vendor(stream, image), automatic_level(stream, image)
        )
    except (OSError, ValueError, struct.error, Damaged) as error:
        raise FactUnavailable(WholeFile(path), f"its signature cannot be read: {error}") from error


def _vendor(stream: BinaryIO, image: PeImage) -> tuple[Certificate, ...]:
    """The certificates built into a shim (``cert.S``): a single one, or a list in the firmware's format, which is searched."""
    section = image.section(".vendor_cert")
    if section is None:
        return ()
    stream.seek(section.offset)
    data = stream.read(min(section.size, MAX_VENDOR))
    if len(data) < 16:
        return ()
    # struct cert_table: the sizes of the allowed and the denied list, then their offsets.
    size, _denied, start, _other = struct.unpack_from("<IIII", data)
    body, at = data[start : start + size], 0
    found: list[Certificate] = []
    # A certificate begins as a SEQUENCE whose length takes two bytes.
    while len(found) < MAX_CERTIFICATES and (at := body.find(b"\x30\x82", at)) >= 0:
        one = certificate(body[at:])
        found += [one] if one else []
        at += len(one.data) if one else 2
    return tuple(found)


@provides
def find_secure_boot(
    fs: GuestFS, target: Target, definition: Definition, chosen: ChosenFirmware, os: OsInfo, store: FactStore
) -> SecureBoot:
    """Inactive unless the target demands signatures, or the definition does and the target could follow it."""
    keys = target.secure_boot or ("microsoft" if definition.secure_boot else "")
    if not keys or chosen.kind != "uefi":
        return SecureBoot()
    efi = store.get(Efi)
    first = None if target.keeps_nvram else efi.fallback(firmware_arch(os.arch, target))
    unpacks = os.distro == "ubuntu" or os.family == "rhel"
    return SecureBoot(keys, bool(target.secure_boot), first, target.keeps_nvram, efi, os.arch, unpacks, fs)
