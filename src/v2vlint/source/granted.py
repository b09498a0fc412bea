"""Which host files a child may read for a guest: those that the operator named, and the folders they lie in, for what they refer to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from v2vlint.confine import Grant, resolved
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef
from v2vlint.model.xml_document import read_document


def granted(ref: GuestRef, *more: str) -> Grant:
    """What reading ``ref`` may touch, and ``more`` paths that the operator named.

    The disks of a domain that libvirt described count as named by the operator; those that a definition *file* names do not, they may lie
    in its folder.
    """
    named = [*ref.paths, *(path for _target, path in ref.volumes), *(_listed(ref.text) if ref.text else ())]
    folders = [os.path.dirname(resolved(path)) for path in named]  # noqa: PTH120
    return Grant(tuple(dict.fromkeys(filter(None, (*named, *(folder for folder in folders if folder != "/"), *more)))))


def _listed(text: str) -> Iterator[str]:
    """The disks in the XML that libvirt gave, with the chain of backing files as far as libvirt lists it."""
    try:
        root = read_document("domain", text).root
    except ImageError:
        return
    for disk in root.iterfind("devices/disk"):
        yield from _files(disk)


def _files(disk: Element) -> Iterator[str]:
    for source in disk.iter("source"):
        yield from filter(None, (source.get("file", ""), source.get("dev", "")))
