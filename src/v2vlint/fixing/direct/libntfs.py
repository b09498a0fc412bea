"""The part of libntfs-3g that fixing needs, over ctypes. Its I/O goes to a :class:`~v2vlint.fixing.direct.volume.WritableVolume`.

The structures and prototypes are those of ``ntfs-3g/device.h``, ``dir.h``, ``attrib.h`` and ``volume.h``.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_int64, c_long, c_uint, c_uint8, c_uint16, c_uint32, c_ulong, c_void_p
from pathlib import Path

from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.volume import WritableVolume

FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_OPERATION_NOT_SUPPORTED, _NOT_PERMITTED = 95, 1

_Open = ctypes.CFUNCTYPE(c_int, c_void_p, c_int)
_Close = ctypes.CFUNCTYPE(c_int, c_void_p)
_Seek = ctypes.CFUNCTYPE(c_int64, c_void_p, c_int64, c_int)
_Next = ctypes.CFUNCTYPE(c_int64, c_void_p, c_void_p, c_int64)
_At = ctypes.CFUNCTYPE(c_int64, c_void_p, c_void_p, c_int64, c_int64)
_Stat = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
_Control = ctypes.CFUNCTYPE(c_int, c_void_p, c_ulong, c_void_p)


class _Operations(ctypes.Structure):
    _fields_ = (
        ("open", _Open), ("close", _Close), ("seek", _Seek), ("read", _Next), ("write", _Next), ("pread", _At), ("pwrite", _At),
        ("sync", _Close), ("stat", _Stat), ("ioctl", _Control),
    )  # fmt: skip


class _Device(ctypes.Structure):
    _fields_ = (("operations", c_void_p), ("state", c_ulong))


# ND_Open (ntfs-3g/device.h).
_OPEN = 1

_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "ntfs_device_alloc": (c_void_p, (c_char_p, c_long, c_void_p, c_void_p)),
    "ntfs_device_mount": (c_void_p, (c_void_p, c_ulong)),
    "ntfs_umount": (c_int, (c_void_p, c_int)),
    "ntfs_set_ignore_case": (c_int, (c_void_p,)),
    "ntfs_pathname_to_inode": (c_void_p, (c_void_p, c_void_p, c_char_p)),
    "ntfs_inode_close": (c_int, (c_void_p,)),
    "ntfs_inode_update_times": (None, (c_void_p, c_int)),
    "ntfs_attr_exist": (c_int, (c_void_p, c_uint32, c_void_p, c_uint32)),
    "ntfs_attr_open": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint32)),
    "ntfs_attr_close": (None, (c_void_p,)),
    "ntfs_attr_pread": (c_int64, (c_void_p, c_int64, c_int64, c_void_p)),
    "ntfs_attr_pwrite": (c_int64, (c_void_p, c_int64, c_int64, c_void_p)),
    "ntfs_attr_truncate": (c_int, (c_void_p, c_int64)),
    "ntfs_mbstoucs": (c_int, (c_char_p, POINTER(POINTER(c_uint16)))),
    "ntfs_create": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint8, c_uint)),
    "ntfs_delete": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p, c_void_p, c_uint8)),
    "ntfs_get_ntfs_attrib": (c_int, (c_void_p, c_void_p, ctypes.c_size_t)),
    "ntfs_set_ntfs_attrib": (c_int, (c_void_p, c_void_p, ctypes.c_size_t, c_int)),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The library. Declined when it is not installed."""
    folders = [path for name in FOLDERS for path in (Path(name), *Path(name).glob("*-linux-gnu*"))]
    places = sorted(place for folder in folders for place in folder.glob("libntfs-3g.so.*"))
    for place in reversed(places):
        try:
            found = ctypes.CDLL(str(place), use_errno=True)
            for name, (kind, arguments) in _PROTOTYPES.items():
                function = getattr(found, name)
                function.restype, function.argtypes = kind, arguments
        except (OSError, AttributeError):
            continue
        return found
    raise Declined("libntfs-3g is not installed (apt install ntfs-3g)")


class Mounted:
    """An NTFS on a volume, mounted by libntfs-3g for writing. Declined when the library refuses."""

    def __init__(self, volume: WritableVolume) -> None:
        self._volume, self._position = volume, 0
        self._failure: Exception | None = None
        self._operations = self._made()
        device = library().ntfs_device_alloc(b"v2vlint", 0, ctypes.addressof(self._operations), None)
        self._device = _Device.from_address(device)
        self.volume = library().ntfs_device_mount(device, 0)
        if self._failure:
            raise self._failure
        if not self.volume:
            code = ctypes.get_errno()
            # What ntfs_device_mount says of a hibernation file (EPERM) and of an unclean log (EOPNOTSUPP).
            sleeping = code in (_NOT_PERMITTED, _OPERATION_NOT_SUPPORTED)
            raise Declined("Windows is hibernated, or was not shut down cleanly" if sleeping else f"libntfs-3g: {os.strerror(code)}")
        library().ntfs_set_ignore_case(self.volume)

    def check(self) -> None:
        """Raise an exception that was stored by the I/O functions below."""
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Write out buffered changes."""
        if library().ntfs_umount(self.volume, 0):
            raise Declined(f"libntfs-3g: {os.strerror(ctypes.get_errno())}")
        self.check()

    def _made(self) -> _Operations:
        return _Operations(
            open=_Open(self._opened),
            close=_Close(lambda _device: 0),
            seek=_Seek(self._seek),
            read=_Next(self._guarded(lambda data, count: self._next(self._read(data, count, self._position)))),
            write=_Next(self._guarded(lambda data, count: self._next(self._write(data, count, self._position)))),
            pread=_At(self._guarded(self._read)),
            pwrite=_At(self._guarded(self._write)),
            sync=_Close(lambda _device: 0),
            stat=_Stat(lambda _device, _buffer: -1),
            ioctl=_Control(lambda _device, _request, _argument: -1),
        )

    def _opened(self, device: int, _flags: int) -> int:
        _Device.from_address(device).state |= _OPEN
        return 0

    def _guarded(self, action: Callable[..., int]) -> Callable[..., int]:
        """Call ``action`` and store its exception, which cannot propagate through C."""

        def guarded(_device: int, *arguments: int) -> int:
            try:
                return action(*arguments)
            except Exception as error:
                self._failure = error
                return -1

        return guarded

    def _seek(self, _device: int, offset: int, whence: int) -> int:
        self._position = offset + (0, self._position, self._volume.size)[whence]
        return self._position

    def _next(self, count: int) -> int:
        self._position += count
        return count

    def _read(self, data: int, count: int, offset: int) -> int:
        count = max(0, min(count, self._volume.size - offset))
        if count:
            ctypes.memmove(data, self._volume.read(offset, count), count)
        return count

    def _write(self, data: int, count: int, offset: int) -> int:
        self._volume.write(offset, ctypes.string_at(data, count))
        return count
