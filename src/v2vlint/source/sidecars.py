"""The files that a transaction keeps beside an image, and how they are opened: existing files are not trusted.

They are named ``IMAGE.v2vlint-KIND``; those of a block device are in the state folder, under the device's identity. Every name of the image
leads to them: links are resolved first, and the state folder maps the inode to the place.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

VARIABLE = "V2VLINT_STATE"
SYSTEM_STATE = "/var/lib/v2vlint"
MAX_TEXT = 16 << 20
_FS_IOC_GETVERSION = 0x80087601
_DEVICE_NAMES = ("dm/uuid", "wwid", "device/wwid", "serial", "device/serial", "md/uuid", "loop/backing_file")


class ForeignSidecar(ImageError):
    """A file is in the place of one of v2vlint's files, and v2vlint did not create it."""


@dataclass(frozen=True, slots=True)
class SidecarPlace:
    """The place of the sidecars of ``image`` (a resolved path): each is ``prefix`` and its kind. The other fields describe the image's
    inode.

    ``mode`` is the permission bits, ``generation`` distinguishes reused inode numbers (0 if the filesystem does not support it), ``device``
    is the identity of a block device.
    """

    image: Path
    prefix: str
    dev: int
    ino: int
    generation: int
    uid: int
    gid: int
    mode: int
    device: str = ""

    @property
    def key(self) -> tuple[int, int, int, str]:
        """A key that is the same for every name of the image."""
        return self.dev, self.ino, self.generation, self.device

    def path(self, kind: str) -> Path:
        """The sidecar of a kind: ``journal``, ``overlay``, ``undo``…"""
        return Path(f"{self.prefix}.v2vlint-{kind}")

    @property
    def remembered(self) -> bool:
        """Whether the place comes from the state folder rather than from the image's name."""
        return not self.device and self.prefix != str(self.image)

    @property
    def folder(self) -> str:
        """The folder of the sidecars; names of other images in a journal are relative to it."""
        return os.path.dirname(self.prefix)  # noqa: PTH120


def place(image: str | Path) -> SidecarPlace:
    """The place of an image's sidecars. ImageError when the image does not exist, or is neither a file nor a block device."""
    real = os.path.realpath(image)
    try:
        mode = os.lstat(real).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise ImageError(f"{image}: neither a file nor a block device")
        handle = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise ImageError(f"{image}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        return place_of(Path(real), handle)
    finally:
        os.close(handle)


def place_of(real: Path, handle: int) -> SidecarPlace:
    """Like :func:`place`, for an open image."""
    found = os.fstat(handle)
    if stat.S_ISBLK(found.st_mode):
        key = device_identity(found.st_rdev)
        prefix = str(state_folder() / "devices" / key)
        return SidecarPlace(real, prefix, 0, 0, 0, found.st_uid, found.st_gid, 0o600, key)
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(f"{real}: neither a file nor a block device")
    prefix, generation = str(real), _generation(handle)
    # A journal beside this name comes first; the memory is for other names of the inode.
    if not os.path.lexists(f"{prefix}.v2vlint-journal"):
        prefix = _remembered(found, generation) or prefix
    mode = stat.S_IMODE(found.st_mode)
    return SidecarPlace(real, prefix, found.st_dev, found.st_ino, generation, found.st_uid, found.st_gid, mode)


def _generation(handle: int) -> int:
    try:
        # Declared with a long, but the kernel stores an int (ext4_ioctl).
        return int.from_bytes(fcntl.ioctl(handle, _FS_IOC_GETVERSION, bytes(8))[:4], "little")
    except OSError:
        return 0


def device_identity(number: int) -> str:
    """A name for a block device that does not depend on device numbers, if the kernel knows one."""
    major, minor = os.major(number), os.minor(number)
    node = Path(f"/sys/dev/block/{major}:{minor}")
    start = one_line(node / "start") if (node / "partition").exists() else ""
    base = node.resolve().parent if start else node
    name = next((name for candidate in _DEVICE_NAMES if (name := one_line(base / candidate))), "")
    offset = one_line(base / "loop/offset")
    parts = [name or f"{major}-{minor}", *(part for part in (start, offset if offset != "0" else "") if part)]
    # A name of a file has 255 bytes at most, and a kind is still to be appended.
    return re.sub(r"[^A-Za-z0-9.-]", "_", "+".join(parts))[-180:].lstrip(".")


def one_line(path: Path) -> str:
    """The content of a small file of the kernel, stripped; empty when it does not exist."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def state_folder() -> Path:
    """The folder for files that are not kept beside an image: ``$V2VLINT_STATE``, for root ``/var/lib/v2vlint``, otherwise the XDG state
    folder.
    """
    own = os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "v2vlint")  # noqa: PTH111, PTH118
    return Path(os.path.abspath(os.environ.get(VARIABLE) or (SYSTEM_STATE if os.geteuid() == 0 else own)))  # noqa: PTH100


def _is_trusted(folder: Path) -> bool:
    """Whether a state folder belongs to us or root, and nobody else may write to it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022


def make_state(name: str) -> Path:
    """A subfolder of the state folder. ImageError when it cannot be created, or others may write to it."""
    top = state_folder()
    try:
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        (top / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{top}: {os.strerror(error.errno or 0).lower()}", hint=f"${VARIABLE} names another folder") from error
    if not (_is_trusted(top) and _is_trusted(top / name)):
        raise ImageError(f"{top}: others may write there", hint=f"chmod -R go-w {top}, or name another folder in ${VARIABLE}")
    return top / name


def _memory(dev: int, ino: int, generation: int) -> Path:
    return state_folder() / "images" / f"{dev}-{ino}-{generation}"


def _remembered(found: os.stat_result, generation: int) -> str:
    """The place of the sidecars of an inode that was fixed under another name, or an empty string."""
    entry = _memory(found.st_dev, found.st_ino, generation)
    try:
        # An entry that others may write could lead to sidecars of theirs.
        prefix = os.fsdecode(entry.read_bytes()) if _is_trusted(entry.parent) and _is_trusted(entry.parent.parent) else ""
    except (OSError, ValueError):
        return ""
    return prefix if os.path.isabs(prefix) and os.path.lexists(f"{prefix}.v2vlint-journal") else ""  # noqa: PTH117


def remember(at: SidecarPlace) -> None:
    """Record the place, so that the sidecars are found under any other name of the inode. Without a state folder they are not."""
    if at.device:
        return
    with contextlib.suppress(ImageError, OSError):
        make_state("images")
        entry = _memory(at.dev, at.ino, at.generation)
        temporary = entry.with_name(f"{entry.name}.{os.getpid()}")
        temporary.write_bytes(os.fsencode(at.prefix))
        temporary.replace(entry)


def forget(at: SidecarPlace) -> None:
    """Undo :func:`remember`."""
    with contextlib.suppress(OSError):
        _memory(at.dev, at.ino, at.generation).unlink(missing_ok=True)


def _vouch(at: SidecarPlace, kind: str, found: os.stat_result) -> None:
    """ForeignSidecar unless it is a regular file without other names, owned by the image's owner, root or us, that nobody else may
    change.
    """
    path, why = at.path(kind), ""
    if not stat.S_ISREG(found.st_mode):
        why = "is no regular file"
    elif found.st_nlink != 1:
        why = "has a second name (a hard link)"
    elif found.st_uid not in (os.geteuid(), at.uid, 0):
        why = f"belongs to user {found.st_uid}"
    elif found.st_mode & 0o022 & ~at.mode:
        why = "can be written by others than the image"
    if why:
        hint = f"look at it, and remove it: rm {shlex.quote(str(path))}"
        raise ForeignSidecar(f"{path} {why}: v2vlint did not make it, and does not use it", hint=hint)


def exists(at: SidecarPlace, kind: str) -> bool:
    """Whether there is such a sidecar. ForeignSidecar when the file there is not one."""
    try:
        found = at.path(kind).lstat()
    except FileNotFoundError:
        return False
    _vouch(at, kind, found)
    return True


def open_sidecar(at: SidecarPlace, kind: str, *, write: bool = False) -> int:
    """A descriptor of an existing sidecar. FileNotFoundError, ForeignSidecar."""
    exists(at, kind)
    flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(at.path(kind), flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ImageError(f"{at.path(kind)}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        # Once more, on what was opened: the name may lead elsewhere by now.
        _vouch(at, kind, os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def create(at: SidecarPlace, kind: str) -> int:
    """A descriptor of a new, empty sidecar, accessible to the image's owner alone. An existing one of ours is replaced."""
    remove(at, kind)
    path = at.path(kind)
    if at.device:
        make_state("devices")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        found = os.fstat(handle)
        # The image's owner can then undo what root has fixed.
        if os.geteuid() == 0 and not at.device and (found.st_uid, found.st_gid) != (at.uid, at.gid):
            with contextlib.suppress(PermissionError):
                os.fchown(handle, at.uid, at.gid)
        _vouch(at, kind, os.fstat(handle))
    except BaseException:
        os.close(handle)
        path.unlink()
        raise
    return handle


@contextlib.contextmanager
def held(at: SidecarPlace, kind: str, *, fresh: bool = False) -> Iterator[int]:
    """A descriptor of a new or existing sidecar (FileNotFoundError), open while the block runs."""
    handle = create(at, kind) if fresh else open_sidecar(at, kind, write=True)
    try:
        yield handle
    finally:
        os.close(handle)


def remove(at: SidecarPlace, kind: str) -> None:
    """Remove a sidecar if it exists. ForeignSidecar when it is not ours: it is then left alone."""
    if exists(at, kind):
        at.path(kind).unlink(missing_ok=True)


def read_text(at: SidecarPlace, kind: str) -> bytes | None:
    """The content of a small sidecar; None when there is none."""
    try:
        handle = open_sidecar(at, kind)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise ForeignSidecar(
            f"{at.path(kind)}: larger than {MAX_TEXT} bytes", hint=f"look at it, and remove it: rm {shlex.quote(str(at.path(kind)))}"
        )
    return data


def replace_text(at: SidecarPlace, kind: str, data: bytes) -> None:
    """Replace a sidecar's content: after a crash it has the old or the new one, complete."""
    exists(at, kind)
    try:
        with os.fdopen(create(at, f"{kind}.new"), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        remove(at, f"{kind}.new")
        raise ImageError(f"{at.path(kind)}: {os.strerror(error.errno or 0).lower()}") from error
    rename(at, f"{kind}.new", kind)


def rename(at: SidecarPlace, old: str, new: str) -> None:
    """Rename a sidecar over another, and sync it to disk."""
    exists(at, old)
    at.path(old).replace(at.path(new))
    sync_folder(at)


def sync_folder(at: SidecarPlace) -> None:
    """Sync a folder, so that names survive a crash."""
    handle = os.open(at.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
