"""SELinux labels of new files, which libselinux looks up in the guest's own file_contexts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_int, c_uint, c_void_p
from pathlib import Path

from v2vlint.fixing.direct.terms import Declined

SONAME = "libselinux.so.1"
SUFFIXES = ("", ".homedirs", ".local", ".subs", ".subs_dist")
"""What libselinux reads besides a file_contexts, by its name."""
# SELABEL_CTX_FILE and SELABEL_OPT_PATH (selinux/label.h).
_FILES, _PATH = 0, 3


class _Option(ctypes.Structure):
    _fields_ = (("type", c_int), ("value", c_char_p))


@contextmanager
def labels(folder: Path, files: Mapping[str, bytes]) -> Iterator[Labels]:
    """The labels according to ``files`` (content by suffix), which are copied to ``folder`` for libselinux to read."""
    place = folder / "file_contexts"
    for suffix, content in files.items():
        place.with_name(place.name + suffix).write_bytes(content)
    try:
        library = ctypes.CDLL(SONAME, use_errno=True)
        # By default, ctypes cuts a pointer to an int.
        library.selabel_open.restype = c_void_p
    except (OSError, AttributeError) as error:
        raise Declined(f"{SONAME} is not installed") from error
    options = (_Option * 1)(_Option(_PATH, os.fsencode(place)))
    handle = library.selabel_open(c_uint(_FILES), options, c_uint(1))
    if not handle:
        raise Declined("libselinux cannot read the guest's file_contexts")
    try:
        yield Labels(library, c_void_p(handle))
    finally:
        library.selabel_close(c_void_p(handle))


class Labels:
    """An opened file_contexts."""

    def __init__(self, library: ctypes.CDLL, handle: c_void_p) -> None:
        self._library, self._handle = library, handle

    def of(self, path: str, mode: int) -> str:
        """The label of a file of type ``mode``; empty when it gets none."""
        found = c_char_p()
        if self._library.selabel_lookup_raw(self._handle, byref(found), os.fsencode(path), c_int(mode)):
            return ""
        try:
            context = os.fsdecode(found.value or b"")
        finally:
            self._library.freecon(found)
        return "" if context == "<<none>>" else context
