"""Roots and /usr under dm-verity: their partitions follow from the hash on the command line.

systemd-veritysetup-generator(8): unless the devices are named, the UUID of the data partition is the first half of ``roothash=`` and that
of the hash partition the second half (``determine_devices`` of src/veritysetup/veritysetup-generator.c). ``usrhash=`` does the same for
/usr.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.model.dataclass import dataclass

GENERATORS = tuple(f"{top}lib/systemd/system-generators/systemd-veritysetup-generator" for top in ("usr/", ""))
_HASHES = {"roothash": "root", "usrhash": "usr"}
_HALF = 32


@dataclass(frozen=True, slots=True)
class VerityVolume:
    """``name`` is ``root`` or ``usr``, ``specs`` are the two devices that systemd looks for. ``runs``: whether the initramfs sets it up."""

    name: str
    argument: KernelArg
    specs: tuple[str, str]
    runs: bool


def verity_volumes(args: tuple[KernelArg, ...], image: Initramfs | None) -> Iterator[VerityVolume]:
    """The volumes requested by hashes on the command line; one with an invalid hash is left out, as in systemd."""
    for key, name in _HASHES.items():
        argument = last_arg(args, key)
        specs = _specs(argument.value or "", name, args) if argument else None
        if argument is not None and specs is not None:
            yield VerityVolume(name, argument, specs, image is not None and any(path in image.files for path in GENERATORS))


def _specs(value: str, name: str, args: tuple[KernelArg, ...]) -> tuple[str, str] | None:
    try:
        raw = bytes.fromhex(value).hex()
    except ValueError:
        return None
    if len(raw) < _HALF:
        return None
    halves = {"data": raw[:_HALF], "hash": raw[-_HALF:]}
    named = {what: last_arg(args, f"systemd.verity_{name}_{what}") for what in halves}
    found = [(one.value if (one := named[what]) else None) or f"PARTUUID={uuid.UUID(half)}" for what, half in halves.items()]
    return found[0], found[1]
