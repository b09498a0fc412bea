"""Installed RPM packages with the data in their headers (rpm's ``rpmtag.h``), from any of RPM's three databases."""

from __future__ import annotations

import struct

from v2vlint.facts.packages.rpmdb import Head, header_index, read_rpmdb
from v2vlint.guest.fs import GuestFS
from v2vlint.model.machine import Application

MAX_TEXT = 16 << 10
_NAME, _VERSION, _RELEASE, _EPOCH, _SUMMARY, _DESCRIPTION = 1000, 1001, 1002, 1003, 1004, 1005
_VENDOR, _URL, _ARCH, _SOURCE = 1011, 1020, 1022, 1044
_WANTED = (_NAME, _VERSION, _RELEASE, _EPOCH, _SUMMARY, _DESCRIPTION, _VENDOR, _URL, _ARCH, _SOURCE)
_MAY_BE_BLANK = ((_ARCH, "arch"), (_URL, "url"), (_SUMMARY, "summary"), (_DESCRIPTION, "description"))
# RPM_INT32_TYPE; RPM_STRING_TYPE, RPM_STRING_ARRAY_TYPE and RPM_I18NSTRING_TYPE (rpmtag.h).
_INT32, _STRINGS = 4, frozenset({6, 8, 9})


def rpm_applications(fs: GuestFS) -> list[Application]:
    """Every package, including public keys; empty without a database. FactUnavailable when it is damaged."""
    return read_rpmdb(fs, parse) or []


def parse(head: Head, _path: str) -> Application | None:
    """The package described by a header blob; None when it has no name."""
    tags, size, entries = header_index(head)
    wanted = [entries[tag][1] for tag in _WANTED if tag in entries]
    if _NAME not in entries or max(wanted) > size:
        return None
    # Two counts, then 16 bytes for each tag. Only as much is read as the wanted texts need: lists of files come after them, and are long.
    start = 8 + 16 * tags
    data = head(start + min(size, max(wanted) + MAX_TEXT))[start:]
    texts = {tag: _text(data, entries.get(tag)) for tag in _WANTED if tag != _EPOCH}
    if not texts[_NAME]:
        return None
    return Application(
        name=texts[_NAME],
        version=texts[_VERSION],
        release=texts[_RELEASE],
        epoch=_number(data, entries.get(_EPOCH)),
        arch=texts[_ARCH],
        publisher=texts[_VENDOR],
        url=texts[_URL],
        source=texts[_SOURCE],
        summary=texts[_SUMMARY],
        description=texts[_DESCRIPTION],
        blank=tuple(name for tag, name in _MAY_BE_BLANK if tag in entries and not texts[tag]),
        # rpm keeps imported keys as packages of this name.
        kind="key" if texts[_NAME] == "gpg-pubkey" else "",
    )


def _text(data: bytes, entry: tuple[int, int] | None) -> str:
    """A string, or the first of several (the untranslated one)."""
    if entry is None or entry[0] not in _STRINGS:
        return ""
    return data[entry[1] : entry[1] + MAX_TEXT].split(b"\0", 1)[0].decode("utf-8", "replace")


def _number(data: bytes, entry: tuple[int, int] | None) -> int:
    if entry is None or entry[0] != _INT32 or entry[1] + 4 > len(data):
        return 0
    return int(struct.unpack_from(">I", data, entry[1])[0])
