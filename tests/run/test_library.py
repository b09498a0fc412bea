"""The Python API: settings from arguments and configuration, guests, reports, errors. docs/python.md has more, and is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import v2vlint
from guestbuild.samples import cached
from v2vlint.engine import config
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.report import Report
from v2vlint.run import library
from v2vlint.run.library import Wishes, request
from v2vlint.run.settings import Access, settle

RULE = "fstab-device-name"


def settings(**wishes: Any) -> Any:
    """The settings that arguments give."""
    return request(["nothing.qcow2"], wishes).settings  # type: ignore[arg-type]


IMPORTED = ["v2vlint", "v2vlint.model", "v2vlint.model.version"]


def test_importing_costs_nothing() -> None:
    code = "import sys; import v2vlint; print(sorted(name for name in sys.modules if name.startswith('v2vlint')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == f"{IMPORTED}\n"


def test_the_arguments_are_the_keys_of_the_configuration() -> None:
    keys = {key.replace("-", "_") for key in config.KEYS} - {"format", "report", "images", "recipes"}
    assert Wishes.__annotations__.keys() - library.OWN == keys
    assert Wishes.__annotations__.keys() > library.OWN


def test_arguments_win_over_the_configuration_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "v2vlint.toml"
    file.write_text(f'target = "azure"\nmover = "virt-v2v"\njobs = 3\nignore = "boot"\n[severity]\n{RULE} = "info"\n')
    found = settings(config=file, target=["kvm", "vmware"], jobs=1, fail_on="warning", strict=True, time_limit=9)
    assert [target.name for target in found.targets] == ["kvm", "vmware"]
    assert (found.mover, found.jobs, found.fail_on, found.strict) == (Mover.VIRT_V2V, 1, Severity.WARNING, True)
    assert (found.selection.ignore, dict(found.decisions.severity), found.limits.wall) == (("boot",), {RULE: Severity.INFO}, 9)
    assert settings(config=file).jobs == 3


def test_no_configuration_is_read_that_was_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v2vlint.toml").write_text('target = "azure"\n')
    inner = tmp_path / "in" / "ner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert [one.name for one in settings().targets] == ["kvm"]
    assert [one.name for one in settings(config=".").targets] == ["azure"]


def test_relative_names_start_from_where_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, title in ((tmp_path, "outer"), (tmp_path / "here", "inner")):
        folder.mkdir(exist_ok=True)
        (folder / "own.toml").write_text(f'extends = "kvm"\ntitle = "{title}"\n')
    (tmp_path / "v2vlint.toml").write_text('target = "./own.toml"\n')
    monkeypatch.chdir(tmp_path / "here")
    assert settings(config=tmp_path / "v2vlint.toml").targets[0].title == "outer"
    assert settings(config=tmp_path / "v2vlint.toml", target="./own.toml").targets[0].title == "inner"


@pytest.mark.parametrize(
    ("wishes", "complaint"),
    [
        ({"targte": "kvm"}, "arguments: unknown key 'targte'"),
        ({"target": "kwm"}, "unknown target 'kwm'"),
        ({"jobs": 0}, "arguments: jobs: must be a positive whole number"),
        ({"mover": "rsync"}, "arguments: mover: must be one of raw, virt-v2v"),
        ({"exceptions": [{"id": RULE}]}, "arguments: exceptions #1: reason missing"),
        ({"target": ["kvm", "kvm"]}, "target 'kvm' is given twice"),
        ({"memory_limit": "big"}, "not a size: 'big'"),
        ({"config": "absent.toml"}, "absent.toml: no such file or directory"),
        ({"report": "json=out.json"}, "arguments: report is for the command line"),
    ],
)
def test_wrong_arguments_are_usage_errors(wishes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(**wishes)
    assert str(caught.value) == complaint


def test_a_sequence_holds_the_disks_of_one_guest(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(bytes(512))
    asked = request([(tmp_path / "a", str(tmp_path / "b")), tmp_path / "c"], {"keys": ["word", b"\xff"]})
    assert [len(guest.paths) for guest in asked.guests] == [2, 1]
    assert [key.secret for key in asked.keys.keys] == [b"word", b"\xff"]


@pytest.mark.parametrize("function", [v2vlint.check, v2vlint.inspect, v2vlint.fix])
def test_nothing_is_not_a_guest(function: Any) -> None:
    with pytest.raises(UsageError, match="no image given"):
        function()


def test_one_guest_and_one_target_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(bytes(512))
    (tmp_path / "b.img").write_bytes(bytes(512))
    with pytest.raises(UsageError, match="2 guests, where one was expected"):
        v2vlint.forecast(tmp_path)
    with pytest.raises(UsageError, match="2 targets, where one was expected"):
        v2vlint.forecast(tmp_path / "a.img", target=["kvm", "azure"])
    with pytest.raises(ImageError, match=r"a\.img"):
        v2vlint.forecast(tmp_path / "a.img")
    with pytest.raises(UsageError, match="a fixed copy takes one guest"):
        v2vlint.fix(tmp_path, output=tmp_path / "new.qcow2")
    with pytest.raises(UsageError, match="not an interface name and a MAC address"):
        v2vlint.fix(tmp_path, mac={"ens192": "00:50"})


@pytest.mark.slow
@pytest.mark.xdist_group("debian-vmware-desktop")
def test_all_functions_speak_of_the_same_guest() -> None:
    (image,) = cached("debian-vmware-desktop")
    seen: list[tuple[str, ...]] = []
    report = v2vlint.check(image, fail_on="warning", progress=lambda names, _done: seen.append(tuple(names)))
    assert isinstance(report, Report)
    assert seen[0] == (os.fspath(image),)
    forecast = v2vlint.forecast(image)
    assert forecast == report.images[0].roots[0].targets[0].forecast
    (machine,) = v2vlint.inspect(image, applications=False)
    assert machine.booted is not None
    assert machine.booted.hostname == dict(report.images[0].roots[0].glance)["hostname"]
    planned = v2vlint.fix(image, diff=True)
    assert list(planned.report.images[0].findings()) == list(report.images[0].findings())
    assert {fix.rule for fix in planned.outcomes[0].planned} <= {found.finding.rule for found in report.images[0].findings()}
    assert image.name.removesuffix(".qcow2") in v2vlint.define(image).xml


def test_settings_from_nothing_are_the_defaults() -> None:
    plain = settle(config.Config(), config.Config(), Access())
    assert ([one.name for one in plain.targets], plain.mover, plain.jobs, plain.fail_on) == (["kvm"], Mover.RAW, 1, Severity.ERROR)
