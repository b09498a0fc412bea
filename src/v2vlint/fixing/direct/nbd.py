"""An NBD client (Network Block Device, doc/proto.md of its project) with just enough for writing to our own qemu-nbd."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from types import TracebackType

from v2vlint.model.errors import ImageError

# "NBDMAGIC" and "IHAVEOPT".
_MAGIC, _OPTION = 0x4E42444D41474943, 0x49484156454F5054
_REQUEST, _REPLY = 0x25609513, 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES, _EXPORT_NAME = 1, 2, 1
_WRITE, _LEAVE, _FLUSH = 1, 2, 3
_CHUNK = 4 << 20
_PATIENCE = 20.0


class Client:
    """The disk behind a Unix socket. ImageError when the server refuses."""

    def __init__(self, place: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(60)
            self._connect(place)
            magic, option, _flags = struct.unpack(">QQH", self._receive(18))
            if (magic, option) != (_MAGIC, _OPTION):
                raise ImageError(f"{place}: no NBD server")
            # NBD_OPT_EXPORT_NAME with an empty name: the default export. Its answer is the size and flags, without 124 zeros.
            self._socket.sendall(struct.pack(">IQII", _FIXED_NEWSTYLE | _NO_ZEROES, _OPTION, _EXPORT_NAME, 0))
            self.size = int(struct.unpack(">QH", self._receive(10))[0])
        except OSError as error:
            self._socket.close()
            raise _lost(error) from error
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, place: Path) -> None:
        """Connect, retrying: the socket exists a moment before the server listens."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._socket.connect(str(place))
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise ImageError("qemu-nbd: does not listen", hint="nothing was changed") from None
                time.sleep(0.005)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._socket:
            if kind is None:
                self._send(struct.pack(">IHHQQI", _REQUEST, 0, _LEAVE, 0, 0, 0))

    def write(self, offset: int, data: bytes) -> None:
        """Write all of ``data``."""
        for start in range(0, len(data), _CHUNK):
            part = data[start : start + _CHUNK]
            self._ask(_WRITE, offset + start, len(part), part)

    def flush(self) -> None:
        """Have the server flush its buffers."""
        self._ask(_FLUSH, 0, 0)

    def _ask(self, command: int, offset: int, length: int, data: bytes = b"") -> None:
        self._send(struct.pack(">IHHQQI", _REQUEST, 0, command, 0, offset, length) + data)
        magic, code, _handle = struct.unpack(">IIQ", self._receive(16))
        if magic != _REPLY or code:
            raise ImageError(f"qemu-nbd: error {code} at {offset}", hint="nothing was changed")

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _lost(error) from error

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                part = self._socket.recv(length - len(data))
            except OSError as error:
                raise _lost(error) from error
            if not part:
                raise ImageError("qemu-nbd: the connection ended", hint="nothing was changed")
            data += part
        return data


def _lost(error: OSError) -> ImageError:
    """qemu-nbd has ended, or has not answered in time."""
    return ImageError(f"qemu-nbd: {str(error).lower() or 'the connection ended'}", hint="nothing was changed")
