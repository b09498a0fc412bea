"""What the worker refuses in a real appliance: another value than expected, hives and volumes that are not settled."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.fixing.test_session import copies
from v2vlint.accel import acceleration
from v2vlint.programs import guestfs_python
from v2vlint.samples.regf import make_hive

SYSTEM = "/windows/SYSTEM32/config/system"
SCRIPT = """
import importlib.util, json, sys
import guestfs
spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
g = guestfs.GuestFS(python_return_dict=True)
g.set_memsize(768)
g.add_drive_opts(sys.argv[2], format="qcow2", cachemode="unsafe")
g.launch()
device = {"kind": "partition", "disk": 0, "number": 2}
said, where = [], None
for operation in json.load(sys.stdin):
    try:
        if where and operation.get("remount"):
            where.close()
            where = None
        where = where or worker._mount(g, {"windows": True, "mounts": [{"point": "/", "device": device}]})
        worker.OPERATIONS[operation["op"]](g, where.place(operation))
        said.append("done")
    except worker._Mismatch as error:
        said.append(str(error))
json.dump(said, sys.stdout)
"""


def _value(number: int) -> dict[str, Any]:
    return {"type": 4, "data": b64encode(number.to_bytes(4, "little")).decode()}


def _set(key: str, name: str, number: int, expect: int | None, path: str = SYSTEM) -> dict[str, Any]:
    edit = {"key": key.split("/"), "name": name, **_value(number), "expect": None if expect is None else _value(expect)}
    return {"op": "registry", "path": path, "edits": [edit]}


def _drop(key: str, **expect: int) -> dict[str, Any]:
    values = [{"name": name, **_value(number)} for name, number in expect.items()]
    return {"op": "registry", "path": SYSTEM, "edits": [{"key": key.split("/"), "delete": True, "expect": values}]}


def _create(path: str, data: bytes) -> dict[str, Any]:
    return {"op": "create", "path": path, "data": b64encode(data).decode(), "mode": 0o644}


def _unclean() -> bytes:
    data = bytearray(make_hive("[a]\n"))
    data[4] += 1
    return bytes(data)


STEPS = (
    (_set("controlset001/services/STORAHCI", "start", 4, 0), "done"),
    (_set("ControlSet001/Services/storahci", "Start", 3, 0), "is not what was checked"),
    (_set("ControlSet001/Services/storahci", "Start", 3, None), "is not what was checked"),
    (_set("New/Key", "x", 1, 2), "is not what was checked"),
    (_set("New/Key", "x", 1, None), "done"),
    (_drop("New", x=1), "has subkeys"),
    (_drop("New/Key", x=2), "is not what was checked"),
    (_drop("New/Key", X=1), "done"),
    (_drop("New/Key", x=1), "does not exist"),
    (_create("/WINDOWS/system32/CMD.exe", b"x"), "exists already"),
    (_create("/Windows/unclean", _unclean()), "done"),
    (_set("a", "x", 1, None, "/Windows/unclean"), "still in its log files"),
    (_create("/Windows/other", b"x" * 600), "done"),
    (_set("a", "x", 1, None, "/Windows/other"), "is not a registry hive"),
    (_create("/hiberfil.sys", b"hibr" + bytes(1 << 16)), "done"),
    ({**_create("/Windows/late", b"x"), "remount": True}, "can only be mounted read-only"),
)


@pytest.mark.slow
def test_the_worker_changes_only_what_is_as_expected(tmp_path: Path) -> None:
    (image,) = copies("windows-10-vmware", tmp_path)
    settings = {} if acceleration().kvm else {"LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
    worker = str(resources.files("v2vlint.fixing") / "guestfs_worker.py")
    python = guestfs_python()
    assert python is not None
    done = subprocess.run(
        [python, "-c", SCRIPT, worker, str(image)],
        input=json.dumps([operation for operation, _words in STEPS]).encode(),
        env={**os.environ, "LIBGUESTFS_BACKEND": "direct", **settings},
        capture_output=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert [(number, one) for number, (one, (_op, words)) in enumerate(zip(said, STEPS, strict=True)) if words not in one] == []
