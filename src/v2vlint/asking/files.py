"""A path of a guest."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Callable

from v2vlint.asking.views import Missing, Text
from v2vlint.engine.questions import FileView
from v2vlint.facts.environment.accounts import Accounts


class FileState:
    """A path of a guest, links followed; nothing is written to the host. Attributes are those of testinfra's ``host.file``."""

    def __init__(self, view: FileView, guest: str, accounts: Callable[[], Accounts]) -> None:
        self.path = view.path
        self.exists = view.kind != "absent"
        self.is_file = view.kind == "file"
        self.is_directory = view.kind == "directory"
        self.is_symlink = bool(view.link)
        self.size, self.mode, self.uid, self.gid = view.size, view.mode, view.uid, view.gid
        self._view = view
        self._guest = guest
        self._accounts = accounts

    @property
    def linked_to(self) -> str:
        """The path after following all links; for a dangling link, its target as written. Missing when it is not a link."""
        # Leaves this frame out of pytest's traceback, which then ends at the test's own line; so in all of these.
        __tracebackhide__ = True
        if not self.is_symlink:
            raise Missing(f"{self.path} is no link in {self._guest}: {self._view.kind}")
        return self._view.real or self._view.link

    @property
    def is_executable(self) -> bool:
        """Whether anybody may execute it."""
        return self.is_file and bool(self.mode & 0o111)

    @property
    def user(self) -> str:
        """The owner's name; the number when the guest's passwd does not have it."""
        self._there()
        return next((user.name for user in self._accounts().users if user.uid == self.uid), str(self.uid))

    @property
    def group(self) -> str:
        """The group's name; the number when the guest does not have it."""
        self._there()
        return next((group.name for group in self._accounts().groups if group.gid == self.gid), str(self.gid))

    @property
    def mtime(self) -> datetime.datetime:
        """When it was last written, in UTC."""
        self._there()
        return datetime.datetime.fromtimestamp(self._view.mtime, datetime.UTC)

    @property
    def content(self) -> bytes:
        """The bytes of a regular file. Missing when it is not one."""
        __tracebackhide__ = True
        if not self.is_file:
            raise Missing(f"{self.path} is no file in {self._guest}: {self._view.kind}")
        return self._view.content

    @property
    def text(self) -> Text:
        """The file as UTF-8 text; undecodable bytes become surrogates."""
        __tracebackhide__ = True
        return Text(self.content.decode("utf-8", "surrogateescape"), self.path)

    @property
    def content_string(self) -> Text:
        """The same as :attr:`text`, under testinfra's name."""
        __tracebackhide__ = True
        return self.text

    @property
    def sha256sum(self) -> str:
        """The SHA-256 of the content, hexadecimal."""
        __tracebackhide__ = True
        return hashlib.sha256(self.content).hexdigest()

    @property
    def md5sum(self) -> str:
        """The MD5 of the content, hexadecimal."""
        __tracebackhide__ = True
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    def contains(self, pattern: str) -> bool:
        """Whether the regular expression ``pattern`` matches anywhere in a line."""
        __tracebackhide__ = True
        return re.search(pattern, self.text, re.MULTILINE) is not None

    def listdir(self) -> tuple[str, ...]:
        """The names in a directory, sorted. Missing when it is not a directory."""
        __tracebackhide__ = True
        if not self.is_directory:
            raise Missing(f"{self.path} is no directory in {self._guest}: {self._view.kind}")
        return self._view.names

    def _there(self) -> None:
        __tracebackhide__ = True
        if not self.exists:
            raise Missing(f"{self.path} does not exist in {self._guest}")

    def __repr__(self) -> str:
        owner = f", {self.mode:04o} {self.uid}:{self.gid}" if self.exists else ""
        return f"<{self.path} of {self._guest}: {self._view.kind}{owner}>"
