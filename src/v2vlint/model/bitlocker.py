"""What the metadata of a BitLocker volume says, read back from the details of its block device."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.model.blocks import BlockDevice

_TYPED = {"recovery password": "a recovery password", "password": "its password", "startup key": "the .bek file of its startup key"}


@dataclass(frozen=True, slots=True)
class BitlockerVolume:
    """A volume under BitLocker, ``device`` in the block table. Empty is not known.

    ``state`` is ``on``, ``off``, ``suspended``, ``waiting for activation``, ``being encrypted``, ``being decrypted``, ``paused`` or
    ``unknown``. ``protectors`` are kinds, one for each: ``clear key``, ``TPM``, ``TPM and PIN``, ``TPM and startup key``,
    ``TPM and PIN and startup key``, ``startup key``, ``recovery password``, ``password``, ``certificate``, ``unknown (0x…)``.
    ``recovery_ids`` are the identifiers of the recovery passwords, as the recovery screen shows them.
    """

    device: str
    state: str = ""
    method: str = ""
    guid: str = ""
    protectors: tuple[str, ...] = ()
    recovery_ids: tuple[str, ...] = ()

    @property
    def lies_open(self) -> bool:
        """Whether its key lies on it in the clear, as when protection is suspended or was never activated."""
        return "clear key" in self.protectors

    @property
    def sealed(self) -> bool:
        """Whether the TPM of one machine takes part in opening it."""
        return any(kind.startswith("TPM") for kind in self.protectors)

    @property
    def only_sealed(self) -> bool:
        """Whether nothing but that TPM opens it."""
        return self.sealed and all(kind.startswith("TPM") for kind in self.protectors)

    @property
    def recovery(self) -> str:
        """The recovery passwords in words, by the first eight digits of their identifiers: under these they are kept."""
        shown = " or ".join(one[:8].upper() for one in self.recovery_ids[:4])
        return f"the recovery password {shown}" if shown else ""

    @property
    def asked(self) -> str:
        """What Windows takes at its start in place of the TPM, in words; empty when there is nothing, or nothing known."""
        return self.recovery or ("its startup key on a USB drive" if "startup key" in self.protectors else "")

    @property
    def opened_by(self) -> str:
        """What a person can open it with anywhere, in words."""
        words = [self.recovery] if self.recovery else []
        words += [text for kind, text in _TYPED.items() if kind in self.protectors and not (kind == "recovery password" and words)]
        return " or ".join(words)


def bitlocker_volume(device: BlockDevice) -> BitlockerVolume:
    """What the details of a block device with ``fs_type`` ``BitLocker`` say."""
    protectors, ids = device.detail("protectors"), device.detail("recovery_ids")
    return BitlockerVolume(
        device.name,
        device.detail("state"),
        device.detail("cipher"),
        device.detail("volume_guid"),
        tuple(kind for kind in protectors.split(",") if kind),
        tuple(one for one in ids.split(",") if one),
    )
