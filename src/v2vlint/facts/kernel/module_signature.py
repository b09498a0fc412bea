"""Whether a kernel module is signed: the signature is appended to the file (kernel ``scripts/sign-file.c``, ``kernel/module_signature.c``).

Who signed it cannot be verified: the public key for a distribution's modules is generated when the kernel is built.
"""

from __future__ import annotations

import lzma
import zlib
from typing import Any

import zstandard

from v2vlint.guest.fs import GuestFS

MAGIC = b"~Module signature appended~\n"
MAX_FILE = 16 << 20
MAX_MODULE = 64 << 20


def is_signed(fs: GuestFS, path: str) -> bool | None:
    """Whether the module at ``path`` carries a signature; None when it cannot be read."""
    data = fs.read(path, MAX_FILE)
    plain = None if data is None else _unpacked(data)
    return None if plain is None else plain.endswith(MAGIC)


def _unpacked(data: bytes) -> bytes | None:
    try:
        if data[:6] == b"\xfd7zXZ\0":
            return _all_of(lzma.LZMADecompressor(memlimit=256 << 20), data)
        if data[:2] == b"\x1f\x8b":
            return _all_of(zlib.decompressobj(zlib.MAX_WBITS | 16), data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data).read(MAX_MODULE)
    except (lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError):
        return None
    return data


def _all_of(unpacker: Any, data: bytes) -> bytes | None:
    """What ``data`` unpacks to; None when it is cut off, or longer than MAX_MODULE: the signature is at the end."""
    found: bytes = unpacker.decompress(data, MAX_MODULE)
    return found if unpacker.eof else None
