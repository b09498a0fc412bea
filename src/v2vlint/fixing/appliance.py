"""Runs the libguestfs worker: finds an interpreter with the module and an accelerator that works, and returns the worker's answer."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import cast

from v2vlint import programs
from v2vlint.accel import acceleration
from v2vlint.fixing import qemu
from v2vlint.fixing.orders import WorkerAnswer, WorkerRequest
from v2vlint.fixing.work import Work, Written
from v2vlint.model.codec import parse
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.programs import guestfs_python

INSTALL_HINT = "apt install python3-guestfs (Fedora: dnf install python3-libguestfs)"
TIMEOUT = 3600.0


def write(work: Work) -> Written:
    """Carry out the orders in one appliance. UsageError when libguestfs is missing, ImageError with its message when it fails."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-nbd-") as folder, ExitStack() as stack:
        sockets = [stack.enter_context(qemu.exported(overlay, node, Path(folder))) for overlay, node in work.disks.items()]
        return _run({**work.orders, "drives": [{"socket": str(socket)} for socket in sockets]})


def _run(request: WorkerRequest) -> Written:
    python = guestfs_python()
    if python is None:
        raise UsageError("no Python interpreter here can import guestfs", hint=INSTALL_HINT)
    accelerator = acceleration()
    answer = _ask(python, request, kvm=accelerator.kvm)
    # The appliance did not even start: KVM may be there and not work, as in some nested machines.
    if not answer["ok"] and accelerator.kvm and "launch" not in answer["seconds"]:
        answer = _ask(python, request, kvm=False)
    if not answer["ok"]:
        raise ImageError(f"libguestfs: {answer['error']}", hint="nothing was changed")
    notes = tuple(map(str, answer["notes"]))
    return Written(notes, dict(answer["seconds"]), f"under {accelerator.word}")


def _ask(python: str, request: WorkerRequest, *, kvm: bool) -> WorkerAnswer:
    environment = {**programs.environment(), "LIBGUESTFS_BACKEND": "direct"}
    if not kvm:
        environment["LIBGUESTFS_BACKEND_SETTINGS"] = "force_tcg"
    script = str(resources.files(__package__) / "guestfs_worker.py")
    with programs.starting(python):
        process = subprocess.Popen(
            # -I: nothing of the user's folders or environment is imported.
            [python, "-I", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=programs.NEUTRAL,
            preexec_fn=qemu.die_with_parent,
        )
    try:
        out, errors = process.communicate(json.dumps(request).encode(), timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"libguestfs did not end within {TIMEOUT:.0f} seconds", hint="nothing was changed") from error
    finally:
        process.kill()
        process.communicate()
    try:
        answer = parse(out)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not WorkerAnswer.__required_keys__ <= answer.keys():
        words = errors.decode("utf-8", "replace").strip().splitlines() or [f"exit status {process.returncode}"]
        answer = {"ok": False, "error": words[-1], "notes": [], "seconds": {}}
    return cast(WorkerAnswer, answer)
