"""Where files are opened on request. A confined child opens nothing itself: it asks its parent, which checks the policy and returns a
descriptor.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import Any, Protocol

from v2vlint import isolate
from v2vlint.confine import Grant, resolved
from v2vlint.files.errors import FileMissing, Refused
from v2vlint.files.policy import FilePolicy, Opened
from v2vlint.files.urls import is_url
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef, HostFileInfo

MAX_FILES = 20_000
MAX_OPENED = 10 * MAX_FILES
"""How often files are opened: a child's time does not run while its parent answers, so that one could ask for ever."""
_BLOCK = 4 << 20
_ERRORS = {kind.__name__: kind for kind in (FileMissing, Refused, ImageError)}


class FileOpener(Protocol):
    """Opens files: either a policy, or a connection to the parent."""

    def open(self, path: str) -> Opened:
        """The file at ``path``. Missing, Refused or ImageError."""


class Desk:
    """The parent's side: checks what the child of one call requests, returns descriptors, and remembers them.

    ``more`` are files that the operator named with the guest. ``grant`` is what the child reads without asking: trees.
    """

    def __init__(self, ref: GuestRef, *more: str) -> None:
        self.policy = FilePolicy.of(ref, *more)
        self.grant = Grant(tuple(resolved(tree) for tree in ref.trees if not is_url(tree)))
        self._digests = ref.hashed
        self._given: dict[str, HostFileInfo] = {}
        self._opened = 0

    def __call__(self, question: Any) -> tuple[Any, int | None]:
        """Answer a child: the file's path as text, or the error, and the descriptor."""
        try:
            opened = self.open(str(question))
        except ImageError as error:
            return {"error": type(error).__name__, "message": error.message, "hint": error.hint}, None
        told = {"real": opened.real, "size": opened.size, "remote": opened.remote, "user": opened.user}
        return told, opened.descriptor

    def open(self, path: str) -> Opened:
        """See :class:`FileOpener`."""
        self._opened += 1
        if len(self._given) >= MAX_FILES or self._opened > MAX_OPENED:
            raise ImageError(f"{path}: more than {MAX_FILES} files")
        opened = self.policy.open(path)
        if opened.real not in self._given:
            try:
                before = _digest(opened) if self._digests else ""
            except OSError as error:
                os.close(opened.descriptor)
                raise ImageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
            self._given[opened.real] = HostFileInfo(opened.real, opened.size, before, state=opened.state)
        return opened

    def gave(self, path: str) -> bool:
        """Whether the child was given the file at ``path``: a parent acts on no other path."""
        try:
            return (path if is_url(path) else os.path.realpath(path)) in self._given
        except ValueError:  # a zero byte, or what no name can hold
            return False

    def files(self) -> tuple[HostFileInfo, ...]:
        """All files that were given, in order; with their current digests on request."""
        given = tuple(self._given.values())
        return tuple(replace(one, after=self._now(one.path)) for one in given) if self._digests else given

    def _now(self, path: str) -> str:
        try:
            opened = self.policy.open(path)
        except ImageError:
            return ""
        try:
            return _digest(opened)
        finally:
            os.close(opened.descriptor)


class _Counter:
    """The child's side: asks the parent."""

    def open(self, path: str) -> Opened:
        """See :class:`FileOpener`."""
        answer, descriptor = isolate.ask_parent(path)
        if descriptor is None:
            raise _ERRORS.get(answer["error"], ImageError)(answer["message"], hint=answer["hint"])
        return Opened(path, answer["real"], answer["size"], descriptor, answer["remote"], answer["user"])


def access(ref: GuestRef | None = None, *paths: str) -> FileOpener:
    """Opens files here: in a child through its parent, otherwise under the policy for ``ref`` and the further ``paths`` that the operator
    named.
    """
    if isolate.has_parent():
        return _Counter()
    return FilePolicy.of(ref, *paths) if ref else FilePolicy.naming(paths)


def _digest(opened: Opened) -> str:
    found = hashlib.sha256()
    with replace(opened, descriptor=os.dup(opened.descriptor)).stream() as stream:
        stream.seek(0)
        while block := stream.read(_BLOCK):
            found.update(block)
        # A duplicate shares the position, and the child reads on from it.
        stream.seek(0)
    return found.hexdigest()
