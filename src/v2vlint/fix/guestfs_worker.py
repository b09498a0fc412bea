"""Writes into a guest through libguestfs. Run as a script by an interpreter that has the ``guestfs`` module; imports nothing of v2vlint.

Reads one JSON request on standard input and writes one JSON answer on standard output::

    request  drives [{path, format}], unlock [{device, name, keys}], roots [{mounts, operations, selinux}], memory (MiB)
    root     mounts [{device, point, options}], operations [{op, path, …}], selinux (path of file_contexts, or empty)
             keys and file contents are base64
    device   {kind, disk, number, name, uuid} as v2vlint names block devices
    answer   ok, error, notes [text], seconds {launch, edit, close}
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Request = Mapping[str, Any]


class Mismatch(Exception):
    """The guest is not as the plan expects."""


def main() -> int:
    """Serve one request."""
    request = json.load(sys.stdin)
    answer: dict[str, Any] = {"ok": False, "error": "", "notes": [], "seconds": {}}
    try:
        _serve(request, answer)
        answer["ok"] = True
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}" if not isinstance(error, (RuntimeError, Mismatch)) else str(error)
    json.dump(answer, sys.stdout)
    return 0


def _serve(request: Request, answer: dict[str, Any]) -> None:
    import guestfs

    clock = _Clock(answer["seconds"])
    g = guestfs.GuestFS(python_return_dict=True)
    g.set_memsize(request.get("memory", 768))
    for drive in request["drives"]:
        g.add_drive_opts(drive["path"], format=drive["format"], cachemode="unsafe")
    g.launch()
    clock.lap("launch")
    _unlock(g, request)
    for root in request["roots"]:
        _mount(g, root)
        for operation in root["operations"]:
            OPERATIONS[operation["op"]](g, operation)
        _label(g, root, answer["notes"])
        g.umount_all()
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


def _unlock(g: Any, request: Request) -> None:
    for item in request.get("unlock", ()):
        _open_luks(g, item)
    if request.get("unlock"):
        g.lvm_scan(True)


def _open_luks(g: Any, item: Mapping[str, Any]) -> None:
    for number, encoded in enumerate(item["keys"], 1):
        key = base64.b64decode(encoded).decode("utf-8", "surrogateescape")
        try:
            g.cryptsetup_open(device_name(g, item["device"]), key, item["name"])
        except RuntimeError:
            if number == len(item["keys"]):
                raise
        else:
            return


def _mount(g: Any, root: Request) -> None:
    for mount in sorted(root["mounts"], key=lambda mount: str(mount["point"])):
        g.mount_options(mount.get("options", ""), device_name(g, mount["device"]), mount["point"])


def device_name(g: Any, device: Mapping[str, Any]) -> str:
    """The appliance's name of a device."""
    kind = device["kind"]
    if kind == "lv":
        return f"/dev/{device['name']}"
    if kind == "luks":
        return f"/dev/mapper/{device['name']}"
    if kind == "md":
        return _array(g, device)
    disk = str(g.list_devices()[device["disk"]])
    return f"{disk}{device['number']}" if kind == "partition" else disk


def _array(g: Any, device: Mapping[str, Any]) -> str:
    wanted = str(device["uuid"]).replace("-", "").replace(":", "").lower()
    for candidate in g.list_md_devices():
        if str(g.vfs_uuid(candidate)).replace("-", "").lower() == wanted:
            return str(candidate)
    raise Mismatch(f"no array in the appliance holds {device['uuid']}")


def _overwrite(g: Any, op: Mapping[str, Any]) -> None:
    path, data = op["path"], base64.b64decode(op["data"])
    found = hashlib.sha256(g.read_file(path)).hexdigest()
    if found != op["expect"]:
        raise Mismatch(f"{path} is not what was checked")
    _write(g, path, data)


def _write(g: Any, path: str, data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as stream:
        stream.write(data)
        stream.flush()
        g.upload(stream.name, path)


def _create(g: Any, op: Mapping[str, Any]) -> None:
    path = op["path"]
    if g.exists(path):
        raise Mismatch(f"{path} exists already")
    g.mkdir_p(path.rsplit("/", 1)[0] or "/")
    _write(g, path, base64.b64decode(op["data"]))
    g.chmod(op["mode"], path)


def _delete(g: Any, op: Mapping[str, Any]) -> None:
    g.rm(op["path"])


def _copy(g: Any, op: Mapping[str, Any]) -> None:
    if g.exists(op["path"]):
        raise Mismatch(f"{op['path']} exists already")
    g.mkdir_p(op["path"].rsplit("/", 1)[0] or "/")
    g.cp_a(op["source"], op["path"])


def _append(g: Any, op: Mapping[str, Any]) -> None:
    import tempfile

    path, size = op["path"], op["size"]
    if g.filesize(path) != size:
        raise Mismatch(f"{path} is not as long as it was when it was checked")
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(base64.b64decode(op["data"]))
        stream.flush()
        g.upload_offset(stream.name, path, size)


def _command(g: Any, op: Mapping[str, Any]) -> None:
    g.sh(op["command"])


def _label(g: Any, root: Request, notes: list[str]) -> None:
    created = [str(op["path"]) for op in root["operations"] if op["op"] in ("create", "copy")]
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


OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any]], None]] = {
    "overwrite": _overwrite,
    "create": _create,
    "delete": _delete,
    "copy": _copy,
    "append": _append,
    "command": _command,
}

if __name__ == "__main__":
    sys.exit(main())
