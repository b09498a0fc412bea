"""BitLocker's metadata that is readable without a key: state, method, key protectors. Parsed by dissect.fve from bounded copies.

The layout is described by libbde ("BitLocker Drive Encryption (BDE) format specification"); the terms are those of manage-bde.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

Details = tuple[tuple[str, str], ...]
SIGNATURE, TO_GO_SIGNATURE = b"-FVE-FS-", b"MSWIN4.1"
MAX_PROTECTORS = 64
_GUID = UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le
_ON_WRITE_GUID = UUID("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8").bytes_le
_COPY = (1 << 16) + 512
_SECTORS = (512, 1024, 2048, 4096)
_DECRYPTED, _SWITCHING_DIRTY, _PAUSED, _ENCRYPTED = 1, 2, 3, 4
_METHODS = {
    0x8000: "AES 128 with Diffuser", 0x8001: "AES 256 with Diffuser", 0x8002: "AES 128", 0x8003: "AES 256",
    0x8004: "XTS-AES 128", 0x8005: "XTS-AES 256",
}  # fmt: skip
_PROTECTORS = {
    0x0000: "clear key", 0x0100: "TPM", 0x0200: "startup key", 0x0300: "TPM and startup key", 0x0500: "TPM and PIN",
    0x0700: "TPM and PIN and startup key", 0x0800: "recovery password", 0x1000: "certificate", 0x2000: "password",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protector:
    """One key protector: its ``kind``, the identifier that the recovery screen shows, and dissect's record."""

    kind: str
    id: str
    record: Any


@dataclass(frozen=True, slots=True)
class Metadata:
    """The first intact copy of a volume's metadata.

    ``state`` is ``on``, ``off``, ``suspended``, ``waiting for activation``, ``being encrypted``, ``being decrypted``, ``paused`` or
    ``unknown``. ``on_write`` marks a volume that is encrypted as it is written, ``torn`` one whose conversion was interrupted.
    ``information`` is dissect's record; ``cluster`` and ``sector`` are sizes in bytes.
    """

    version: int
    state: str
    method: str
    guid: str
    protectors: tuple[Protector, ...]
    on_write: bool
    torn: bool
    sector: int
    cluster: int
    information: Any

    @property
    def plain(self) -> bool:
        """Whether nothing is encrypted: not yet, or no longer."""
        return int(self.information.header.CurrentState) == _DECRYPTED

    def of_kind(self, kind: str) -> tuple[Protector, ...]:
        """The protectors of one kind."""
        return tuple(one for one in self.protectors if one.kind == kind)


def is_bitlocker(head: bytes) -> bool:
    """Whether a boot sector is BitLocker's. That of a removable drive (BitLocker To Go) looks like FAT except for an identifier."""
    if head[3:11] == SIGNATURE:
        return True
    return head[3:11] == TO_GO_SIGNATURE and head[424:440] in (_GUID, _ON_WRITE_GUID)


def describe(base: Stream) -> Details:
    """``version``, ``state``, ``cipher``, ``keyslots`` (a count), ``protectors`` (kinds), ``volume_guid``, ``recovery_ids``; lists
    comma-separated.

    ``recovery_ids`` are the identifiers of the recovery passwords. Damaged metadata yields only ``metadata``: ``damaged``.
    """
    try:
        found = read_metadata(base)
    except ImageError:
        return (("metadata", "damaged"),)
    facts = {
        "version": str(found.version),
        "state": found.state,
        "cipher": found.method,
        "keyslots": str(len(found.protectors)),
        "protectors": ",".join(one.kind for one in found.protectors),
        "volume_guid": found.guid,
        "recovery_ids": ",".join(one.id for one in found.of_kind("recovery password")),
    }
    return tuple((key, value) for key, value in facts.items() if value)


def read_metadata(base: Stream) -> Metadata:
    """The first intact copy of the three. ImageError when all are damaged."""
    try:
        return _read(base)
    except (MemoryError, ImageError):
        raise
    except Exception as error:
        raise ImageError("encrypted (BitLocker), and its metadata is damaged") from error


def _read(base: Stream) -> Metadata:
    from dissect.fve.bde.bde import BootSector

    boot: Any = BootSector(io.BytesIO(base.read_at(0, 512)))
    information = next(_intact(base, boot.information_offsets), None)
    if information is None:
        raise ImageError("encrypted (BitLocker), and no copy of its metadata is intact")
    sector = int(boot.sector_size) or 512
    if sector not in _SECTORS:
        raise ImageError(f"BitLocker with sectors of {sector} bytes")
    dataset, header = information.dataset, information.header
    protectors = tuple(_protectors(dataset))
    on_write = boot.guid is not None and boot.guid.bytes_le == _ON_WRITE_GUID
    return Metadata(
        version=int(header.Version),
        state=_state(int(header.CurrentState), int(header.NextState), [one.kind for one in protectors], on_write),
        method=_METHODS.get(int(dataset.header.FvekType), f"unknown (0x{int(dataset.header.FvekType):04x})"),
        guid=str(dataset.identifier),
        protectors=protectors,
        on_write=on_write,
        torn=int(header.CurrentState) == _SWITCHING_DIRTY and header.StateSize > 0,
        sector=sector,
        cluster=max(sector, int(boot.cluster_size)),
        information=information,
    )


def _intact(base: Stream, offsets: Iterable[int]) -> Iterator[Any]:
    from dissect.fve.bde.information import Information

    for offset in offsets:
        try:
            information: Any = Information(io.BytesIO(base.read_at(int(offset), _COPY)), 0)
        except (MemoryError, ImageError):
            raise
        except Exception:
            continue
        if information.is_valid():
            yield information


def _protectors(dataset: Any) -> Iterator[Protector]:
    from dissect.fve.bde.information import VmkInfoDatum

    records = [record for record in dataset if isinstance(record, VmkInfoDatum)]
    for record in records[:MAX_PROTECTORS]:
        priority = int(record._datum.Priority)
        yield Protector(_PROTECTORS.get(priority & 0xFF00, f"unknown (0x{priority:04x})"), str(record.identifier), record)


def _state(current: int, planned: int, kinds: list[str], on_write: bool) -> str:
    if current == planned == _DECRYPTED:
        return "off"
    if current == planned == _ENCRYPTED and not on_write:
        if "clear key" not in kinds:
            return "on"
        # Suspending adds a clear key. A volume that waits for activation has nothing else yet.
        return "suspended" if len(kinds) > 1 else "waiting for activation"
    if current == planned == _PAUSED:
        return "paused"
    return {_DECRYPTED: "being decrypted", _ENCRYPTED: "being encrypted"}.get(planned, "unknown")
