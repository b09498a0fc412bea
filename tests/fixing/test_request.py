"""What a child that was taken over may ask the libguestfs worker for: nothing but what it was asked to prepare."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestbuild.samples import cached
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import session, writers
from v2vlint.fixing.protocol import FixAsk
from v2vlint.fixing.request import checked
from v2vlint.isolate import DEFAULT_LIMITS
from v2vlint.model.errors import ImageError
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef, Key, Keys

KEYS = Keys((Key(b"sesame"),))


def asked(paths: tuple[Path, ...], *, rebuild: bool = False) -> FixAsk:
    guest = GuestRef("guest", "disks", tuple(map(str, paths)))
    return FixAsk(CheckAsk(guest, (target.load("kvm"),), keys=KEYS), Applicability.UNSAFE, rebuild=rebuild)


@pytest.fixture(scope="module", params=["rhel9-vsphere", "windows-10-vmware", "two-disks", "sles15-btrfs"])
def honest(request: pytest.FixtureRequest) -> tuple[FixAsk, dict[str, Any], int]:
    paths = cached(request.param)
    ask = asked(paths)
    return ask, json.loads(session.preview(ask).request), len(paths)


def test_what_honest_children_prepare_passes_unchanged(honest: tuple[FixAsk, dict[str, Any], int]) -> None:
    ask, request, disks = honest
    assert request["roots"]
    assert checked(json.dumps(request), ask, disks) == request


ROOT = {
    "mounts": [
        {"point": "/", "device": {"kind": "partition", "disk": 0, "number": 1, "name": "disk1p1", "uuid": "8a1c-7f0e"}, "options": ""}
    ],
    "operations": [{"op": "delete", "path": "/etc/x"}],
    "selinux": "",
    "windows": False,
}
REQUEST: dict[str, Any] = {"roots": [ROOT], "unlock": []}
LUKS = {"kind": "luks", "disk": None, "number": None, "name": "luks-1", "uuid": ""}
DATA = base64.b64encode(b"x").decode()


def _with(**changes: Any) -> dict[str, Any]:
    root = copy.deepcopy(ROOT)
    root.update(changes)
    return {"roots": [root], "unlock": []}


def _doing(**operation: Any) -> dict[str, Any]:
    return _with(operations=[operation])


def _on(**changes: Any) -> dict[str, Any]:
    mount = copy.deepcopy(ROOT["mounts"][0])  # type: ignore[index]
    mount["device"].update(changes)
    return _with(mounts=[mount])


@pytest.mark.parametrize(
    "request_",
    [
        {**REQUEST, "drives": [{"path": "/dev/sda", "format": "raw"}]},
        {**REQUEST, "memory": 1 << 30},
        {"roots": [ROOT]},
        {"roots": [ROOT] * 65, "unlock": []},
        {"roots": {"0": ROOT}, "unlock": []},
        _with(script="id"),
        _with(selinux="../x"),
        _with(windows="yes"),
        _on(disk=1),
        _on(disk=-1),
        _on(disk="0"),
        _on(kind="lv", name="../sda"),
        _on(kind="lv", name="vg/lv/../../sda"),
        _on(kind="luks", name="x y"),
        _doing(op="command", path="/x", command="update-initramfs -u -k 6.1"),
        _doing(op="mount", path="/x"),
        _doing(op="delete"),
        _doing(op="delete", path="etc/x"),
        _doing(op="delete", path="/etc/../../x"),
        _doing(op="delete", path="/etc/x\0"),
        _doing(op="delete", path="/x", command="id"),
        _doing(op="create", path="/x", data="not base64!", mode=0o644),
        _doing(op="create", path="/x", data=DATA, mode=0o100644),
        _doing(op="overwrite", path="/x", data=DATA, expect="x"),
        _doing(op="copy", path="/x", source="x"),
        _doing(op="append", path="/x", size=-1, data=DATA, renewed=[]),
        _doing(op="registry", path="/x", edits=[{"key": ["a"], "name": "b", "type": 4, "data": DATA}]),
        {"roots": [], "unlock": [{"device": LUKS, "name": "x", "keys": [base64.b64encode(b"guessed").decode()]}]},
        {"roots": [], "unlock": [{"device": LUKS, "name": "../x", "keys": [base64.b64encode(b"sesame").decode()]}]},
        [],
        "x",
    ],
    ids=lambda request: json.dumps(request)[-70:],
)
def test_what_was_not_asked_is_refused(request_: Any) -> None:
    with pytest.raises(ImageError, match="asks for what it was not asked for"):
        checked(json.dumps(request_), asked((Path("/x"),)), 1)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"roots": NaN}'])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ImageError):
        checked(text, asked((Path("/x"),)), 1)


VALUE = {"name": "Start", "type": 4, "data": DATA}
EVERY: dict[str, Any] = {
    **_with(operations=[
        {"op": "overwrite", "path": "/x", "data": DATA, "expect": "0" * 64, "binary": True},
        {"op": "create", "path": "/x", "data": DATA, "mode": 0o644}, {"op": "delete", "path": "/x"},
        {"op": "copy", "path": "/x", "source": "/y"}, {"op": "append", "path": "/x", "size": 9, "data": DATA, "renewed": ["a"]},
        {"op": "registry", "path": "/x", "edits": [
            {"key": ["a"], **VALUE, "expect": {"type": 4, "data": DATA}}, {"key": ["a"], "delete": True, "expect": [VALUE]},
        ]},
        {"op": "command", "path": "/usr/bin/dracut", "command": "dracut -f --kver 6.1"},
    ]),
    "unlock": [{"device": LUKS, "name": "x", "keys": [base64.b64encode(b"sesame").decode()]}],
}  # fmt: skip
ODD: tuple[Any, ...] = ([], {}, [[]], {"a": []}, None, True, 1.5, -1, 1 << 80, "", "\ud800", "/" * 70_000)


def _replaced(value: Any, odd: Any) -> Iterator[Any]:
    """``value`` with every part of it replaced in turn."""
    yield odd
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for other in _replaced(item, odd):
            held = copy.copy(value)
            held[key] = other
            yield held


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_any_value_anywhere_passes_or_is_refused(odd: Any) -> None:
    ask = asked((Path("/x"),), rebuild=True)
    assert checked(json.dumps(EVERY), ask, 1) == EVERY
    refused = 0
    for forged in _replaced(EVERY, odd):
        try:
            checked(json.dumps(forged), ask, 1)
        except ImageError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("update-initramfs -u -k 6.1.0-18-amd64", True),
        ("dracut -f --kver '5.14.0-362.8.1.el9_3.x86_64'", True),
        ("mkinitcpio -P", True),
        ("update-initramfs -u -k 6.1; id", False),
        ("dracut -f --kver $(id)", False),
        ("dracut -f --kver x\nid", False),
        ("id", False),
    ],
)
def test_only_a_generator_runs_and_only_when_asked(command: str, allowed: bool) -> None:
    request = _doing(op="command", path="/usr/bin/dracut", command=command)
    if allowed:
        assert checked(json.dumps(request), asked((Path("/x"),), rebuild=True), 1) == request
    else:
        with pytest.raises(ImageError):
            checked(json.dumps(request), asked((Path("/x"),), rebuild=True), 1)


def test_drives_are_the_parents_whatever_the_child_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the session that joins both: what the child sends for ``drives`` ends the run before the worker starts."""
    seen: list[Any] = []
    monkeypatch.setattr(writers, "write", lambda work, _writer: seen.append(work))
    rounds = session._Rounds(asked((Path("/x"),)), DEFAULT_LIMITS, {Path("/x.overlay"): None}, session._Clock())
    forged = json.dumps({**REQUEST, "drives": [{"path": "/dev/sda", "format": "raw"}]})
    with pytest.raises(ImageError):
        rounds._write(type("Forged", (), {"request": forged})())
    assert not seen
