"""Signatures of EFI programs and kernels (Authenticode): who signed a file, and whether the file has changed since.

Layouts from Microsoft's "Windows Authenticode Portable Executable Signature Format", RFC 2315 (PKCS #7) and RFC 5280. The digest in a
signature is compared with the file; the signature itself is not verified cryptographically.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from v2vlint.disk.fields import Fields
from v2vlint.facts.boot.pe import CertificatePlace, certificate_place
from v2vlint.model.dataclass import dataclass

MAX_TABLE = 1 << 20
MAX_HASHED = 256 << 20
MAX_ITEMS = 64
MAX_SIGNATURES = 8
_CHUNK = 1 << 20
_HEAD = 1 << 16
_COMMON_NAME = b"\x55\x04\x03"  # OID 2.5.4.3
_DIGESTS = {b"\x60\x86\x48\x01\x65\x03\x04\x02\x01": "sha256", b"\x2b\x0e\x03\x02\x1a": "sha1"}
_SEQUENCE, _SET, _OID, _CHOICE = 0x30, 0x31, 0x06, 0xA0
_WIN_CERTIFICATE = Fields("<", length=(0, "I"), kind=(6, "H"))  # wintrust.h; the certificate follows
_CERTIFICATE_AT = 8
_PKCS_SIGNED_DATA = 2  # WIN_CERT_TYPE_PKCS_SIGNED_DATA


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 certificate: its whole ``data``, the names as DER, and the serial number."""

    data: bytes
    subject: bytes
    issuer: bytes
    serial: bytes

    @property
    def name(self) -> str:
        """The subject's common name, possibly empty."""
        return common_name(self.subject)


@dataclass(frozen=True, slots=True)
class PeSignature:
    """One signature. The first of ``signers`` is the signing certificate, followed by the chain to its authority.

    ``digest`` is that of the file when it was signed, ``method`` its algorithm (``sha256``, ``sha1``, or empty for any other).
    """

    signers: tuple[Certificate, ...]
    method: str
    digest: bytes

    @property
    def authority(self) -> str:
        """The common name of the signer certificate's issuer."""
        return common_name(self.signers[0].issuer) if self.signers else ""

    def leads_to(self, trusted: tuple[Certificate, ...]) -> bool:
        """Whether one of its certificates is ``trusted``, or was issued by one that is."""
        known, subjects = {one.data for one in trusted}, {one.subject for one in trusted}
        return any(one.data in known or one.issuer in subjects for one in self.signers)

    def is_of(self, authorities: frozenset[str]) -> bool:
        """Whether one of ``authorities`` (common names) issued one of its certificates."""
        return any(common_name(one.issuer) in authorities for one in self.signers)


def signatures(stream: BinaryIO) -> tuple[PeSignature, ...]:
    """The signatures of the image in ``stream``; empty when it has no certificate table or a damaged one."""
    place = _place(stream)
    if place is None or not place.size:
        return ()
    stream.seek(place.start)
    table = stream.read(min(place.size, MAX_TABLE))
    return tuple(found for found in map(_signature, _blobs(table)) if found is not None)


def is_intact(stream: BinaryIO, signature: PeSignature) -> bool | None:
    """Whether the digest in the signature matches the image; None when the algorithm is unknown, or the image is huge."""
    place = _place(stream)
    if place is None or not signature.method or place.start > MAX_HASHED:
        return None
    digest = hashlib.new(signature.method)
    # The table itself is not covered.
    for start, end in place.signed(place.start):
        stream.seek(start)
        for at in range(start, end, _CHUNK):
            digest.update(stream.read(min(_CHUNK, end - at)))
    # The table is aligned to 8 bytes, and the digest includes the padding before it.
    digest.update(bytes(-place.start % 8))
    return digest.digest() == signature.digest


def _place(stream: BinaryIO) -> CertificatePlace | None:
    stream.seek(0)
    return certificate_place(stream.read(_HEAD))


def _blobs(table: bytes) -> Iterator[bytes]:
    """The PKCS #7 data in a certificate table."""
    at = 0
    for _number in range(MAX_SIGNATURES):
        if at + _CERTIFICATE_AT > len(table):
            return
        header = _WIN_CERTIFICATE.read(table, at)
        length = header["length"]
        if not _CERTIFICATE_AT <= length <= len(table) - at:
            return
        if header["kind"] == _PKCS_SIGNED_DATA:
            yield table[at + _CERTIFICATE_AT : at + length]
        at += (length + 7) // 8 * 8


Item = tuple[int, bytes, bytes]
"""An element of DER: its tag, its content, and all of it."""


def items(data: bytes) -> list[Item]:
    """The elements in ``data``, up to the first damaged one."""
    found: list[Item] = []
    at = 0
    while at + 2 <= len(data) and len(found) < MAX_ITEMS:
        tag, length, head = data[at], data[at + 1], 2
        if length & 0x80:
            count = length & 0x7F
            length, head = int.from_bytes(data[at + 2 : at + 2 + count], "big"), 2 + count
            if not 1 <= count <= 4:  # 0 is the indefinite length of BER, which DER forbids
                break
        end = at + head + length
        if end > len(data):
            break
        found.append((tag, data[at + head : end], data[at:end]))
        at = end
    return found


def _signature(blob: bytes) -> PeSignature | None:
    try:
        # ContentInfo, in it SignedData: version, digest algorithms, content, certificates, signers.
        signed = items(items(items(items(blob)[0][1])[1][1])[0][1])
        content = items(signed[2][1])
        # SpcIndirectDataContent: what was signed, and its digest with the algorithm.
        indirect = items(items(content[1][1])[0][1])
        algorithm, digest = items(indirect[1][1])[:2]
        made = tuple(filter(None, (certificate(whole) for _tag, _content, whole in items(_tagged(signed, _CHOICE)))))
        signer = items(items(_tagged(signed[3:], _SET))[0][1])
        # IssuerAndSerialNumber tells the signing certificate from the others.
        issuer, serial = items(signer[1][1])[:2]
        method = _DIGESTS.get(items(algorithm[1])[0][1], "")
    except (IndexError, ValueError):
        return None
    return PeSignature(tuple(_chain(made, issuer[2], serial[1])), method, digest[1])


def _tagged(found: list[Item], tag: int) -> bytes:
    return next((content for kind, content, _whole in found if kind == tag), b"")


def _chain(made: tuple[Certificate, ...], issuer: bytes, serial: bytes) -> Iterator[Certificate]:
    """The signer's certificate, then each one's issuer."""
    current = next((one for one in made if (one.issuer, one.serial) == (issuer, serial)), None)
    seen: set[bytes] = set()
    while current is not None and current.data not in seen:
        yield current
        seen.add(current.data)
        above = current.issuer
        current = next((one for one in made if one.subject == above and one.data not in seen), None)


def certificate(data: bytes) -> Certificate | None:
    """The X.509 certificate in ``data``; None when it is not one."""
    try:
        whole = items(data)[0]
        body = items(items(whole[1])[0][1])
        first = 1 if body[0][0] == _CHOICE else 0  # X.509 version 1 has no version field
        serial, _algorithm, issuer, _validity, subject = body[first : first + 5]
    except (IndexError, ValueError):
        return None
    return Certificate(whole[2], subject[2], issuer[2], serial[1])


def common_name(name: bytes) -> str:
    """The common name in a distinguished name, possibly empty."""
    for _tag, content, _whole in items(_first(name)):
        pair = items(_first(content))
        if len(pair) >= 2 and pair[0][1] == _COMMON_NAME:
            return pair[1][1].decode("utf-8", "replace")
    return ""


def _first(data: bytes) -> bytes:
    found = items(data)
    return found[0][1] if found else b""
