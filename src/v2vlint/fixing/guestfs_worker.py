"""Writes into a guest through libguestfs. Run as a script by an interpreter that has the ``guestfs`` module.

It reads a JSON request from standard input and writes a JSON answer to standard output; :mod:`v2vlint.fixing.orders` has their types. The
interpreter need not have v2vlint, so nothing of it is imported at run time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from v2vlint.fixing import orders

MEMORY = 768
"""MiB that the appliance gets."""
READ_ONLY = 1
"""ST_RDONLY of statvfs(3)."""


class _Mismatch(Exception):
    """The guest is not in the state that the plan expects."""


def main() -> int:
    """Serve one request."""
    request = json.load(sys.stdin)
    answer: orders.WorkerAnswer = {"ok": False, "error": "", "notes": [], "seconds": {}}
    try:
        _serve(request, answer)
        answer["ok"] = True
    except Exception as error:
        # The binding's errors are RuntimeErrors, with messages for people.
        answer["error"] = f"{type(error).__name__}: {error}" if not isinstance(error, (RuntimeError, _Mismatch)) else str(error)
    json.dump(answer, sys.stdout)
    return 0


def _serve(request: orders.WorkerRequest, answer: orders.WorkerAnswer) -> None:
    import guestfs

    clock = _Clock(answer["seconds"])
    g = guestfs.GuestFS(python_return_dict=True)
    g.set_memsize(MEMORY)
    for drive in request["drives"]:
        # Unsafe is safe enough: after a crash the overlay is dropped, whatever has reached it.
        g.add_drive_opts("", protocol="nbd", server=[f"unix:{drive['socket']}"], format="raw", cachemode="unsafe")
    g.launch()
    clock.lap("launch")
    _unlock(g, request)
    for root in request["roots"]:
        where = _mount(g, root)
        folders = _absent_folders(g, root)
        for operation in root["operations"]:
            OPERATIONS[operation["op"]](g, where.place(operation))
        _label(g, root, folders, answer["notes"])
        where.close()
    clock.lap("edit")
    g.shutdown()
    g.close()
    clock.lap("close")


class _Clock:
    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.last = seconds, time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name], self.last = round(now - self.last, 3), now


def _unlock(g: Any, request: orders.WorkerRequest) -> None:
    for item in request.get("unlock", ()):
        _open_luks(g, item)
    if request.get("unlock"):
        # Volume groups on the opened devices appear only now.
        g.lvm_scan(True)


def _open_luks(g: Any, item: orders.Unlocking) -> None:
    for number, encoded in enumerate(item["keys"], 1):
        key = base64.b64decode(encoded).decode("utf-8", "surrogateescape")
        try:
            g.cryptsetup_open(device_name(g, item["device"]), key, item["name"])
        except RuntimeError:
            if number == len(item["keys"]):
                raise
        else:
            return


def _mount(g: Any, root: orders.RootOrders) -> _Places:
    # Sorted, a mount point comes after the filesystem that it is in.
    mounts = sorted(root["mounts"], key=lambda mount: str(mount["point"]))
    if root.get("windows"):
        return _mount_windows(g, mounts)
    for mount in mounts:
        g.mount_options(mount.get("options", ""), device_name(g, mount["device"]), mount["point"])
    return _Places(g, {})


def _mount_windows(g: Any, mounts: Sequence[orders.Mounting]) -> _Places:
    """Mount every volume on its own mount point: drive C has no directory for the EFI system partition."""
    points = {str(mount["point"]).rstrip("/"): f"/volume{number}" for number, mount in enumerate(mounts)}
    for point in points.values():
        g.mkmountpoint(point)
    for mount, point in zip(mounts, points.values(), strict=True):
        device = device_name(g, mount["device"])
        if str(g.vfs_type(device)) == "ntfs":
            _mount_ntfs(g, device, point)
        else:
            g.mount_options(mount.get("options", ""), device, point)
    return _Places(g, points)


def _mount_ntfs(g: Any, device: str, point: str) -> None:
    if not g.feature_available(["ntfs3g"]):
        raise _Mismatch("libguestfs cannot mount NTFS here: install ntfs-3g (RHEL and its like: libguestfs-winsupport)")
    # By default, ntfs-3g clears the log of a volume that Windows left unclean (ntfs-3g(8), recover).
    g.mount_options("norecover", device, point)
    if g.statvfs(point)["flag"] & READ_ONLY:
        raise _Mismatch("the NTFS volume can only be mounted read-only: Windows is hibernated, or was not shut down cleanly")


class _Places:
    """Paths of the guest as paths in the appliance."""

    def __init__(self, g: Any, points: Mapping[str, str]) -> None:
        self.g, self.points = g, points
        self._known: dict[tuple[str, str], str] = {}

    def place(self, operation: orders.Operation) -> Mapping[str, object]:
        """The operation with its paths translated to the appliance."""
        if not self.points:
            return operation
        return {key: self.path(str(value)) if key in ("path", "source") else value for key, value in operation.items()}

    def path(self, path: str) -> str:
        """The appliance's path for ``path``: existing names are spelled as on the disk, the remaining ones as given."""
        volume = max((point for point in self.points if path == point or path.startswith(f"{point}/")), key=len)
        here = self.points[volume]
        for name in path[len(volume) :].strip("/").split("/"):
            here = f"{here}/{self._spelled(here, name)}"
        return here

    def _spelled(self, folder: str, name: str) -> str:
        if (folder, name) not in self._known:
            exact = self.g.exists(f"{folder}/{name}") or not self.g.is_dir(folder)
            names = [name] if exact else [str(known) for known in self.g.ls(folder) if str(known).lower() == name.lower()]
            if not names:
                return name
            self._known[folder, name] = names[0]
        return self._known[folder, name]

    def close(self) -> None:
        """Unmount everything."""
        self.g.umount_all()
        for point in self.points.values():
            self.g.rmmountpoint(point)


def device_name(g: Any, device: orders.DeviceName) -> str:
    """The appliance's name for a device."""
    kind = device["kind"]
    if kind == "lv":
        return f"/dev/{device['name']}"
    if kind == "luks":
        return f"/dev/mapper/{device['name']}"
    if kind == "md":
        return _array(g, device)
    disk = str(g.list_devices()[device["disk"]])
    return f"{disk}{device['number']}" if kind == "partition" else disk


def _array(g: Any, device: orders.DeviceName) -> str:
    # The appliance numbers arrays anew: what is on one tells which it is.
    wanted = str(device["uuid"]).replace("-", "").replace(":", "").lower()
    for candidate in g.list_md_devices():
        if str(g.vfs_uuid(candidate)).replace("-", "").lower() == wanted:
            return str(candidate)
    raise _Mismatch(f"no array in the appliance holds {device['uuid']}")


def _overwrite(g: Any, op: orders.Overwriting) -> None:
    path, data = op["path"], base64.b64decode(op["data"])
    found = hashlib.sha256(g.read_file(path)).hexdigest()
    if found != op["expect"]:
        raise _Mismatch(f"{path} is not what was checked")
    _write(g, path, data)


def _write(g: Any, path: str, data: bytes) -> None:
    import tempfile

    # An upload has no limit, unlike data in a call (guestfs(3), "PROTOCOL LIMITS").
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(data)
        stream.flush()
        g.upload(stream.name, path)


def _create(g: Any, op: orders.Creating) -> None:
    path = op["path"]
    if g.exists(path):
        raise _Mismatch(f"{path} exists already")
    g.mkdir_p(path.rsplit("/", 1)[0] or "/")
    _write(g, path, base64.b64decode(op["data"]))
    g.chmod(op["mode"], path)


def _delete(g: Any, op: orders.Deleting) -> None:
    g.rm(op["path"])


def _copy(g: Any, op: orders.Copying) -> None:
    if g.exists(op["path"]):
        raise _Mismatch(f"{op['path']} exists already")
    g.mkdir_p(op["path"].rsplit("/", 1)[0] or "/")
    g.cp_a(op["source"], op["path"])


def _append(g: Any, op: orders.Appending) -> None:
    import tempfile

    path, size = op["path"], op["size"]
    if g.filesize(path) != size:
        raise _Mismatch(f"{path} is not as long as it was when it was checked")
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(base64.b64decode(op["data"]))
        stream.flush()
        g.upload_offset(stream.name, path, size)


def _registry(g: Any, op: orders.RegistryEditing) -> None:
    path = op["path"]
    head = g.pread(path, 12, 0)
    if head[:4] != b"regf":
        raise _Mismatch(f"{path} is not a registry hive")
    if head[4:8] != head[8:12]:
        raise _Mismatch(f"{path} was not written out by Windows: changes to it are still in its log files")
    g.hivex_open(path, write=True)
    try:
        for edit in op["edits"]:
            _delete_key(g, path, edit) if "delete" in edit else _set_value(g, path, edit)
        g.hivex_commit(None)
    finally:
        g.hivex_close()


def _set_value(g: Any, hive: str, edit: orders.ValueSetting) -> None:
    node, name = g.hivex_root(), edit["name"]
    for part in edit["key"]:
        node = g.hivex_node_get_child(node, part) or g.hivex_node_add_child(node, part)
    value = g.hivex_node_get_value(node, name)
    _expect(_shown(g, value) if value else None, edit["expect"], f"{hive}: {_words(edit)}\\{name}")
    # The spelling stays: hivex finds the value whatever the case, but would rename it.
    exact = str(g.hivex_value_key(value)) if value else name
    g.hivex_node_set_value(node, exact, edit["type"], base64.b64decode(edit["data"]))


def _delete_key(g: Any, hive: str, edit: orders.KeyDeleting) -> None:
    node = g.hivex_root()
    for part in edit["key"]:
        node = node and g.hivex_node_get_child(node, part)
    if not node:
        raise _Mismatch(f"{hive}: {_words(edit)} does not exist")
    found = {str(g.hivex_value_key(value["hivex_value_h"])).lower(): value["hivex_value_h"] for value in g.hivex_node_values(node)}
    wanted = {str(value["name"]).lower(): {"type": value["type"], "data": value["data"]} for value in edit["expect"]}
    if g.hivex_node_children(node):
        raise _Mismatch(f"{hive}: {_words(edit)} has subkeys")
    _expect({name: _shown(g, value) for name, value in found.items()}, wanted, f"{hive}: {_words(edit)}")
    g.hivex_node_delete_child(node)


def _words(edit: orders.ValueSetting | orders.KeyDeleting) -> str:
    return "\\".join(edit["key"])


def _shown(g: Any, value: int) -> orders.ValueData:
    return {"type": g.hivex_value_type(value), "data": base64.b64encode(g.hivex_value_value(value)).decode()}


def _expect(found: Any, wanted: Any, place: str) -> None:
    if found != wanted:
        raise _Mismatch(f"{place} is not what was checked")


def _command(g: Any, op: orders.Commanding) -> None:
    g.sh(op["command"])


def _absent_folders(g: Any, root: orders.RootOrders) -> list[str]:
    """The folders that have to be created for new files."""
    if not root.get("selinux", ""):
        return []
    paths = [str(op["path"]).split("/") for op in root["operations"] if op["op"] in ("create", "copy")]
    folders = {"/".join(path[:count]) for path in paths for count in range(2, len(path))}
    return [folder for folder in sorted(folders) if not g.exists(folder)]


def _label(g: Any, root: orders.RootOrders, folders: Sequence[str], notes: list[str]) -> None:
    created = [*folders, *(str(op["path"]) for op in root["operations"] if op["op"] in ("create", "copy"))]
    specification = root.get("selinux", "")
    if not specification or not created:
        return
    try:
        for path in created:
            g.selinux_relabel(specification, path, force=True)
        notes.append(f"SELinux labels set by {specification}")
    except RuntimeError as error:
        g.touch("/.autorelabel")
        notes.append(f"SELinux: /.autorelabel created, the guest relabels itself at its next boot ({error})")


OPERATIONS: dict[str, Callable[[Any, Any], None]] = {
    "overwrite": _overwrite,
    "create": _create,
    "delete": _delete,
    "copy": _copy,
    "append": _append,
    "registry": _registry,
    "command": _command,
}

if __name__ == "__main__":
    sys.exit(main())
