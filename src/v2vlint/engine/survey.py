"""The child's side of a search: what each candidate in a folder is, and which files it consists of. Runs in a confined child."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from v2vlint.disk.containers.formats import Opener, detect
from v2vlint.files import access
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestRef, GuestSource
from v2vlint.source.locate import locate

SURVEY = "v2vlint.engine.survey:survey"
MAX_MENTIONED = 2000
_IMAGE = re.compile(r"""[^"'<>=\\/\r\n]{1,250}\.(?:vdi|vmdk|a?vhdx?|qcow2?|img|raw)\b""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SurveyAsk:
    """Candidates that were found in one folder."""

    refs: tuple[GuestRef, ...]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a candidate is: ``defined`` if a definition could be read, ``known`` if its content identifies it.

    ``files`` are the resolved paths of all files of its disks, an image's own first. ``mentioned`` are names of images, without folders,
    that occur anywhere in a definition, including those of snapshots and detached disks.
    """

    defined: bool
    known: bool
    files: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """The answer, in the order of the question."""

    found: tuple[Surveyed, ...]


def survey(request: Any) -> Any:
    """Answer an encoded :class:`SurveyAsk` with an encoded :class:`Survey`."""
    return encode(Survey(tuple(map(_one, decode(SurveyAsk, request).refs))))


def _one(ref: GuestRef) -> Surveyed:
    try:
        source = locate(ref)
    except ImageError:
        return Surveyed(False, False)
    files, image = _files(source)
    if source.definition is None:
        return Surveyed(False, image, files)
    names = dict.fromkeys(islice((found[0] for found in _IMAGE.finditer(source.definition.content)), MAX_MENTIONED))
    return Surveyed(True, True, files, tuple(names))


def _files(source: GuestSource) -> tuple[tuple[str, ...], bool]:
    """The files of all disks as far as they can be opened, and whether the content identifies one as an image."""
    paths: list[str] = []
    image = False
    for disk in source.disks:
        opener = Opener(access())
        try:
            image |= opener.disk(disk).format != "raw"
        except (ImageError, ValueError, OverflowError):
            image |= _looks_like_one(disk, opener)
        paths += [file.real for file in opener.files]
        for file in opener.files:
            file.close()
    return tuple(dict.fromkeys(paths)), image


def _looks_like_one(disk: DiskFile, opener: Opener) -> bool:
    """Whether a file that cannot be opened as an image starts like one."""
    try:
        return bool(opener.files) and detect(disk.name, opener.files[0]) != "raw"
    except ImageError:
        return False
