"""SFTP (draft-ietf-secsh-filexfer-02, version 3) over any pair of pipes: the ssh program logs in, by its own configuration and keys.

What comes back is hostile: lengths and counts are capped, and nothing is done but parsing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat as modes
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import IO

from v2vlint import programs
from v2vlint.files.errors import FileMissing
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

TIMEOUT = 30
PATIENCE = 45
"""Seconds for login and start of the server."""
_KEPT = 4096
_PATIENCE = 5
"""Seconds for ssh to end."""
_LISTINGS = 4
"""How many parts of a folder's list are asked for at once: servers send some hundred names in each."""
MAX_PACKET = 1 << 20
MAX_NAMES = 200_000
# Servers take packets of at least 34000 bytes (draft, section 3).
CHUNK = 1 << 15
# Requests under way at once; sftp(1) has as many (-R).
WINDOW = 64
# SSH_FXP_*, then SSH_FX_* below (draft, sections 3 and 7).
_INIT, _OPEN, _CLOSE, _READ, _LSTAT, _FSTAT, _OPENDIR, _READDIR, _READLINK = 1, 3, 4, 5, 7, 8, 11, 12, 19
_VERSION, _STATUS, _HANDLE, _DATA, _NAME, _ATTRS = 2, 101, 102, 103, 104, 105
_EOF, _NO_FILE, _DENIED = 1, 2, 3
# Without a dash at the start: ssh would take such a host for an option (-oProxyCommand=…).
_NAME_OK = re.compile(r"[A-Za-z0-9_.%:\[\]][A-Za-z0-9_.%:\[\]-]*")
AS_ROOT = "if [ $(id -u) -ne 0 ] && sudo -n true 2>/dev/null; then exec sudo -n {0}; else exec {0}; fi"
"""The command that runs something as root there, if allowed."""
SSH = "V2VLINT_SSH"
"""The environment variable with the ssh command, for another configuration or key."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What SFTP says about a file: ``mode`` with its type, sizes in bytes, seconds since the epoch."""

    size: int = 0
    uid: int = 0
    gid: int = 0
    mode: int = 0
    mtime: int = 0


@dataclass(frozen=True, slots=True)
class Login:
    """Where to log in, with the operator's ``options`` of the ssh command. ImageError for an invalid user or host."""

    host: str
    user: str = ""
    port: int = 0
    options: tuple[str, ...] = ()

    def command(self, what: str, *more: str) -> list[str]:
        """The ssh command line that runs ``what`` there, with ``more`` options. It never prompts."""
        for name in filter(None, (self.host, self.user)):
            if not _NAME_OK.fullmatch(name):
                raise ImageError(f"{name!r} is no host or user")
        ssh = shlex.split(os.environ.get(SSH, "")) or [programs.find("ssh") or ""]
        if not ssh[0]:
            raise ImageError("ssh is not installed", hint="install openssh-client")
        user, port = (("-l", self.user) if self.user else ()), (("-p", str(self.port)) if self.port else ())
        options = ("-oBatchMode=yes", f"-oConnectTimeout={TIMEOUT}", "-oServerAliveInterval=15", "-oLogLevel=ERROR", "-T", "-x", "-a")
        return [*ssh, *self.options, *options, *user, *port, *more, "--", self.host.strip("[]"), what]


class _Complaints(threading.Thread):
    """Reads what ssh says on stderr and keeps the end of it: when nobody reads, a talkative server has to wait, and we for it."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream, self._said = stream, b""
        self.start()

    def run(self) -> None:
        """Until ssh, and whatever it left in the background with the same stderr, has closed it."""
        with self._stream:
            while data := os.read(self._stream.fileno(), _KEPT):
                self._said = (self._said + data)[-_KEPT:]

    def text(self) -> str:
        """What was said, once it is over; after some seconds, what was said so far."""
        self.join(_PATIENCE)
        return self._said.decode("utf-8", "replace").strip()


class Sftp:
    """A session with a server that ``command`` starts. Calls may come from several threads; errors are ImageError or Missing."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        self.name, self._lock, self._number = name, threading.Lock(), 0
        self._unheeded: set[int] = set()
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        self._complaints = _Complaints(self._process.stderr)
        # ssh waits for the login only; what it starts there may say nothing.
        watch = threading.Timer(PATIENCE, self.kill)
        watch.start()
        try:
            self._send(_INIT, struct.pack(">I", 3))
            if self._receive()[0] != _VERSION:
                raise ImageError(f"{name}: the server does not speak SFTP")
        except (ImageError, OSError) as error:
            said = str(error).removeprefix(f"{name}: ")
            raise ImageError(f"{name}: no connection: {self._complaint() or said}", hint=_HINT) from error
        finally:
            watch.cancel()

    def _complaint(self) -> str:
        with contextlib.suppress(OSError):
            self._to.close()
        # ssh ends when its input does, and its complaints with it.
        text = self._complaints.text()
        self.close()
        return text.splitlines()[-1] if text else ""

    @property
    def ended(self) -> bool:
        """Whether there is nobody at the other end any more."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it for those who wait for an answer in other threads."""
        self._process.kill()

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(OSError):
            self._to.close()
        self._from.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def lstat(self, path: bytes) -> Attributes:
        """What is at ``path`` itself."""
        return _Reader(self._ask(path, _LSTAT, _string(path), _ATTRS)).attributes()

    def readlink(self, path: bytes) -> bytes:
        """The target of a link."""
        reader = _Reader(self._ask(path, _READLINK, _string(path), _NAME))
        reader.number()
        return reader.string()

    def readlinks(self, paths: Sequence[bytes]) -> Iterator[bytes | None]:
        """The targets of links, asked for together; None for one that the server does not tell."""
        for kind, body in self._ask_all([(_READLINK, _string(path)) for path in paths]):
            reader = _Reader(body)
            yield reader.string() if kind == _NAME and reader.number() else None

    def names(self, path: bytes) -> Iterator[tuple[bytes, Attributes]]:
        """The entries of a folder with what they are, without ``.`` and ``..``."""
        handle, count = _Reader(self._ask(path, _OPENDIR, _string(path), _HANDLE)).string(), 0
        try:
            for reader in self._listing(path, handle):
                for _entry in range(reader.number()):
                    name, _long, found = reader.string(), reader.string(), reader.attributes()
                    count += 1
                    if count > MAX_NAMES:
                        raise ImageError(f"{self._shown(path)}: more than {MAX_NAMES} entries")
                    # A name with a slash would lead out of the folder.
                    if name not in (b".", b"..") and b"/" not in name:
                        yield name, found
        finally:
            self.shut(handle)

    def _listing(self, path: bytes, handle: bytes) -> Iterator[_Reader]:
        """The parts of a folder's list, some at a time, up to its end."""
        while True:
            questions = [(_READDIR, _string(handle))] * _LISTINGS
            for kind, body in self._ask_all(questions):
                reply = body if kind == _NAME else self._failed(path, kind, body)
                if not reply:
                    return
                yield _Reader(reply)

    def open(self, path: bytes) -> tuple[bytes, Attributes, bytes]:
        """A handle for reading a file, what it is, and its beginning: most files are small."""
        handle = _Reader(self._ask(path, _OPEN, _string(path) + struct.pack(">II", 1, 0), _HANDLE)).string()
        questions = [(_FSTAT, _string(handle)), (_READ, _string(handle) + struct.pack(">QI", 0, CHUNK))]
        (kind, found), (answered, begin) = self._ask_all(questions)
        attributes = _Reader(found if kind == _ATTRS else self._failed(path, kind, found)).attributes()
        return handle, attributes, _Reader(begin).string() if answered == _DATA else b""

    def shut(self, handle: bytes) -> None:
        """Close a handle. What the server says of that is nobody's concern, and not waited for."""
        with self._lock, contextlib.suppress(ImageError):
            self._unheeded.add(self._send(_CLOSE, _string(handle), numbered=True))

    def read(self, path: bytes, handle: bytes, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on, fewer at the end: many requests under way at once."""
        data = bytearray()
        while len(data) < length:
            got = self._window(path, handle, offset + len(data), min(length - len(data), WINDOW * CHUNK))
            data += got
            if not got:
                break
        return bytes(data)

    def _window(self, path: bytes, handle: bytes, offset: int, length: int) -> bytes:
        parts: dict[int, bytes] = {}
        with self._lock:
            wanted = range(offset, offset + length, CHUNK)
            numbers = {
                self._send(_READ, _string(handle) + struct.pack(">QI", at, min(CHUNK, offset + length - at)), numbered=True): at
                for at in wanted
            }
            for _reply in wanted:
                kind, number, body = self._reply()
                if number not in numbers:
                    raise ImageError(f"{self.name}: the server mixes up its answers")
                parts[numbers[number]] = _Reader(body).string() if kind == _DATA else self._failed(path, kind, body)
        data = bytearray()
        for at in wanted:
            data += parts[at]
            if len(parts[at]) < min(CHUNK, offset + length - at):
                break  # a short answer: what comes after it is asked for again
        return bytes(data)

    def _ask(self, path: bytes, kind: int, body: bytes, wanted: int) -> bytes:
        """One question; an empty answer at the end of a list. Missing or ImageError with what the server says."""
        ((found, reply),) = self._ask_all([(kind, body)])
        return reply if found == wanted else self._failed(path, found, reply)

    def _ask_all(self, questions: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Kind and body of the answers to questions that are sent together."""
        with self._lock:
            numbers = [self._send(kind, body, numbered=True) for kind, body in questions]
            answers = {number: (kind, body) for kind, number, body in (self._reply() for _question in questions)}
        if answers.keys() != set(numbers):
            raise ImageError(f"{self.name}: the server mixes up its answers")
        return [answers[number] for number in numbers]

    def _failed(self, path: bytes, kind: int, body: bytes) -> bytes:
        code = _Reader(body).number() if kind == _STATUS else -1
        if code in (0, _EOF):
            return b""
        if code == _NO_FILE:
            raise FileMissing(f"{self._shown(path)}: no such file")
        raise ImageError(f"{self._shown(path)}: {'permission denied' if code == _DENIED else 'the server cannot read it'}")

    def _shown(self, path: bytes) -> str:
        return f"{self.name}{path.decode('utf-8', 'replace')}"

    def _send(self, kind: int, body: bytes, *, numbered: bool = False) -> int:
        self._number = self._number + 1 & 0xFFFFFFFF
        packet = bytes([kind]) + (struct.pack(">I", self._number) if numbered else b"") + body
        try:
            self._to.write(struct.pack(">I", len(packet)) + packet)
            self._to.flush()
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.name}: the connection is gone") from error
        return self._number

    def _receive(self) -> tuple[int, bytes]:
        (length,) = struct.unpack(">I", self._exactly(4))
        if not 1 <= length <= MAX_PACKET:
            begin = length.to_bytes(4, "big")
            text = f", but text: {begin.decode()!r}…; its login must print nothing for programs" if _is_text(begin) else ""
            raise ImageError(f"{self.name}: the server sends what is no SFTP{text}")
        packet = self._exactly(length)
        return packet[0], packet[1:]

    def _reply(self) -> tuple[int, int, bytes]:
        """The next answer that somebody waits for."""
        while True:
            kind, body = self._receive()
            number = int.from_bytes(body[:4], "big")
            if number not in self._unheeded:
                return kind, number, body[4:]
            self._unheeded.discard(number)

    def _exactly(self, length: int) -> bytes:
        try:
            data = self._from.read(length)
        except (OSError, ValueError):
            data = b""
        if len(data) < length:
            raise ImageError(f"{self.name}: the connection is gone")
        return data


_HINT = "log in once with ssh, so that host key and login are known; V2VLINT_SSH has the ssh command when it needs options"


def _is_text(data: bytes) -> bool:
    return data.isascii() and all(one.isprintable() or one in "\r\n\t" for one in data.decode())


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class _Reader:
    """The fields of an answer. ImageError when it is cut short."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, size: int = 4) -> int:
        """A number of ``size`` bytes."""
        if self._at + size > len(self._data):
            raise ImageError("the server sends damaged SFTP")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def string(self) -> bytes:
        """A string."""
        length = self.number()
        if self._at + length > len(self._data):
            raise ImageError("the server sends damaged SFTP")
        self._at += length
        return self._data[self._at - length : self._at]

    def attributes(self) -> Attributes:
        """What a file is."""
        # SSH_FILEXFER_ATTR_SIZE, _UIDGID, _PERMISSIONS, _ACMODTIME, _EXTENDED (draft, section 5).
        flags = self.number()
        size = self.number(8) if flags & 1 else 0
        uid, gid = (self.number(), self.number()) if flags & 2 else (0, 0)
        mode = self.number() if flags & 4 else modes.S_IFREG
        _atime, mtime = (self.number(), self.number()) if flags & 8 else (0, 0)
        for _extension in range(min(self.number(), 64) if flags & 1 << 31 else 0):
            self.string(), self.string()
        return Attributes(size, uid, gid, mode, mtime)
