"""A BitLocker volume as its metadata describes it, rebuilt from the details of its block device."""

from __future__ import annotations

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass

_TYPED = {"recovery password": "a recovery password", "password": "its password", "startup key": "the .bek file of its startup key"}


@dataclass(frozen=True, slots=True)
class BitlockerVolume:
    """A BitLocker volume; ``device`` is its name in the block table. An empty field is not known.

    ``state`` is ``on``, ``off``, ``suspended``, ``waiting for activation``, ``being encrypted``, ``being decrypted``, ``paused`` or
    ``unknown``. ``protectors`` lists one kind per key protector: ``clear key``, ``TPM``, ``TPM and PIN``, ``TPM and startup key``,
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
        """Whether the volume stores its key in the clear: protection is suspended or was never activated."""
        return "clear key" in self.protectors

    @property
    def sealed(self) -> bool:
        """Whether some protector depends on the TPM of one machine."""
        return any(kind.startswith("TPM") for kind in self.protectors)

    @property
    def only_sealed(self) -> bool:
        """Whether every protector depends on that TPM."""
        return self.sealed and all(kind.startswith("TPM") for kind in self.protectors)

    @property
    def recovery(self) -> str:
        """The recovery passwords as text, each by the first eight digits of the identifier under which it is filed."""
        shown = " or ".join(one[:8].upper() for one in self.recovery_ids[:4])
        return f"the recovery password {shown}" if shown else ""

    @property
    def asked(self) -> str:
        """What Windows asks for at boot when the TPM is missing; empty when nothing is asked for or it is not known."""
        return self.recovery or ("its startup key on a USB drive" if "startup key" in self.protectors else "")

    @property
    def opened_by(self) -> str:
        """What opens the volume on any machine, as text."""
        words = [self.recovery] if self.recovery else []
        words += [text for kind, text in _TYPED.items() if kind in self.protectors and not (kind == "recovery password" and words)]
        return " or ".join(words)


def bitlocker_volume(device: BlockDevice) -> BitlockerVolume:
    """The volume behind a block device whose ``fs_type`` is ``BitLocker``."""
    protectors, ids = device.detail("protectors"), device.detail("recovery_ids")
    return BitlockerVolume(
        device.name,
        device.detail("state"),
        device.detail("cipher"),
        device.detail("volume_guid"),
        tuple(kind for kind in protectors.split(",") if kind),
        tuple(one for one in ids.split(",") if one),
    )
