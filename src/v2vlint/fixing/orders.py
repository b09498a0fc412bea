"""The requests to ``guestfs_worker`` and its answers: plain JSON objects, because that script runs under another interpreter.

File contents, registry data and keys are base64. ``expect`` is the state required before the change: the SHA-256 of a file, the data of a
registry value.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, final


class DeviceName(TypedDict):
    """A block device as v2vlint names it: ``disk`` is 0-based, ``number`` is the partition number."""

    kind: str
    disk: int | None
    number: int | None
    name: str
    uuid: str


class Mounting(TypedDict):
    """A device to mount at ``point``."""

    point: str
    device: DeviceName
    options: str


class Unlocking(TypedDict):
    """A LUKS device to open as ``name`` with one of ``keys``."""

    device: DeviceName
    name: str
    keys: list[str]


class Overwriting(TypedDict):
    """New content for a file; ``binary`` content is not shown in the diff."""

    op: Literal["overwrite"]
    path: str
    data: str
    expect: str
    binary: NotRequired[Literal[True]]


class Creating(TypedDict):
    """A file to create."""

    op: Literal["create"]
    path: str
    data: str
    mode: int
    binary: NotRequired[Literal[True]]


class Deleting(TypedDict):
    """A file to remove."""

    op: Literal["delete"]
    path: str


class Copying(TypedDict):
    """Create a copy of the guest's own file ``source``."""

    op: Literal["copy"]
    source: str
    path: str


class Appending(TypedDict):
    """Bytes to append to a file of ``size`` bytes; ``renewed`` names the members of an initramfs that they replace."""

    op: Literal["append"]
    path: str
    size: int
    data: str
    renewed: list[str]


class Commanding(TypedDict):
    """A command of the guest; the program is at ``path``."""

    op: Literal["command"]
    path: str
    command: str


class ValueData(TypedDict):
    """The type and data of a registry value."""

    type: int
    data: str


class NamedValue(ValueData):
    """A registry value."""

    name: str


@final
class ValueSetting(NamedValue):
    """A value to set in the key ``key`` (the names from the root); ``expect`` is None for a value that does not exist yet."""

    key: list[str]
    expect: ValueData | None


@final
class KeyDeleting(TypedDict):
    """A key to delete, which must have exactly the values ``expect``."""

    key: list[str]
    delete: Literal[True]
    expect: list[NamedValue]


class RegistryEditing(TypedDict):
    """Edits of the hive at ``path``."""

    op: Literal["registry"]
    path: str
    edits: list[ValueSetting | KeyDeleting]


Operation = Overwriting | Creating | Deleting | Copying | Appending | Commanding | RegistryEditing


class RootOrders(TypedDict):
    """The operations on one root; ``selinux`` is the path of its file_contexts, or empty.

    With ``windows``, names are matched case-insensitively, and the volumes must be safe to write.
    """

    mounts: list[Mounting]
    operations: list[Operation]
    selinux: str
    windows: bool


class Orders(TypedDict):
    """The guest's part of a request."""

    roots: list[RootOrders]
    unlock: list[Unlocking]


class NbdDrive(TypedDict):
    """An overlay that an NBD server exports on ``socket``, a path on the host."""

    socket: str


class WorkerRequest(Orders):
    """A whole request: ``drives`` in the order of the guest's disks."""

    drives: list[NbdDrive]


class WorkerAnswer(TypedDict):
    """What was done. ``error`` is empty if and only if ``ok`` is true; ``seconds`` has ``launch``, ``edit`` and ``close``, up to the step
    reached.
    """

    ok: bool
    error: str
    notes: list[str]
    seconds: dict[str, float]
