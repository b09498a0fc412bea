"""Results of proofs: ``prove`` stores them in the state folder, and ``check`` shows them as long as the guest is unchanged."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from v2vlint.engine.check import check_all, forecast_of
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.codec import encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.report import EarlierProof, Forecast
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target
from v2vlint.run.cache import read_entry, write_entry
from v2vlint.run.identity import FileStamp, digest, stamps_of, unchanged
from v2vlint.source.sidecars import make_state, state_folder

if TYPE_CHECKING:
    from v2vlint.model.proof import Proof
    from v2vlint.proving import Wish

FOLDER = "proofs"


@dataclass(frozen=True, slots=True)
class KeptProof:
    """A result, with the state of the guest's files."""

    files: tuple[FileStamp, ...]
    proof: EarlierProof


def prove(
    guest: GuestRef, target: Target, wish: Wish, progress: Callable[[str, float], None] | None = None
) -> tuple[Proof, Forecast | None]:
    """Boot a guest and store the result, with the forecast (None when nothing can be forecast). Raises the exceptions of
    :func:`proving.prove`.
    """
    from v2vlint import proving

    since = time.time_ns()
    image = check_all([CheckAsk(guest, (target,), keys=wish.keys)]).images[0]
    predicted, stamps = forecast_of(image), stamps_of(guest, image, since)
    proof = proving.prove(guest, target, wish, progress)
    # Only if the files are still those that were booted.
    if proof.unchanged and stamps and unchanged(stamps):
        way = "its kernel started directly" if proof.via == "kernel" else f"by {'UEFI' if proof.firmware == 'uefi' else 'BIOS'}"
        agrees = proof.agrees(predicted) if predicted else None
        kept = KeptProof(stamps, EarlierProof(target.name, proof.came_up, proof.reason, way, since / 1e9, agrees))
        with contextlib.suppress(ImageError, OSError):
            write_entry(make_state(FOLDER) / _name(guest, target), json.dumps(encode(kept)).encode())
    return proof, predicted


def known(guest: GuestRef, targets: Iterable[Target]) -> Iterator[EarlierProof]:
    """The proofs of a guest that is unchanged since they were made, at most one for each target."""
    folder = state_folder() / FOLDER
    if not folder.is_dir():
        return
    for target in targets:
        kept = read_entry(KeptProof, folder / _name(guest, target))
        if kept is not None and kept.files and unchanged(kept.files):
            yield kept.proof


def _name(guest: GuestRef, target: Target) -> str:
    """A file name that is the same for the same files, in the same order, on the same virtual hardware."""
    return digest([[os.path.realpath(path) for path in (*guest.paths, *guest.named)], encode(target)]) + ".json"
