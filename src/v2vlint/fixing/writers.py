"""Chooses the back-end: direct writing if possible, else an appliance; or the one that was requested."""

from __future__ import annotations

from dataclasses import replace

from v2vlint.fixing import appliance
from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.write import write as write_directly
from v2vlint.fixing.protocol import Writer
from v2vlint.fixing.work import Work, Written
from v2vlint.model.errors import ImageError


def write(work: Work, wanted: Writer) -> Written:
    """Make the edits. ImageError when the requested back-end cannot; on any failure, only overlays have been touched."""
    if wanted is Writer.LIBGUESTFS:
        return appliance.write(work)
    try:
        return write_directly(work)
    except Declined as error:
        if wanted is Writer.DIRECT:
            raise ImageError(f"cannot be written directly: {error.reason}", hint="--writer libguestfs") from error
        written = appliance.write(work)
        return replace(written, by=f"{written.by}, not directly: {error.reason}")
