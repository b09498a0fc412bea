"""Configuration files: found upwards, read whole, and every mistake told with its place."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from v2vlint.engine.config import Anchor, Config, Exempt, find, read
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Mover, Severity

FULL = """
target = ["kvm", "lab"]
mover = "virt-v2v"
profile = "template"
select = "storage"
ignore = ["fstab-*"]
fail-on = "warning"
strict = true
jobs = 3
format = "json"
report = ["sarif=out.sarif"]
baseline = "known.json"
memory-limit = "1GiB"
cpu-limit = 60
time-limit = 90

[severity]
fstab-device-name = "info"

[[exceptions]]
id = "fstab-device-name"
image = "web*.qcow2"
path = "/etc/fstab"
reason = "moves in May"
expires = 2026-05-31

[[exceptions]]
id = "xorg-*"
reason = "no screen"
expires = "2030-01-01"

[[images]]
match = "web*.qcow2"
recipe = "packer/web.pkr.hcl"

[targets.lab]
extends = "kvm"
title = "the lab"
"""


def parsed(tmp_path: Path, text: str, name: str = "v2vlint.toml") -> Config:
    """The configuration ``text``."""
    path = tmp_path / name
    path.write_text(text)
    return read(path)


def test_everything_at_once(tmp_path: Path) -> None:
    assert parsed(tmp_path, FULL) == Config(
        origin="v2vlint.toml",
        folder=tmp_path,
        target=("kvm", "lab"),
        mover=Mover.VIRT_V2V,
        profile="template",
        select=("storage",),
        ignore=("fstab-*",),
        fail_on=Severity.WARNING,
        strict=True,
        jobs=3,
        format="json",
        report=("sarif=out.sarif",),
        baseline="known.json",
        memory_limit="1GiB",
        cpu_limit=60,
        time_limit=90,
        severity={"fstab-device-name": Severity.INFO},
        exceptions=(
            Exempt(
                "fstab-device-name", "moves in May", "web*.qcow2", "/etc/fstab", datetime.date(2026, 5, 31), "v2vlint.toml: exceptions #1"
            ),
            Exempt("xorg-*", "no screen", expires=datetime.date(2030, 1, 1), where="v2vlint.toml: exceptions #2"),
        ),
        images=(Anchor("web*.qcow2", "packer/web.pkr.hcl"),),
        targets={"lab": {"extends": "kvm", "title": "the lab"}},
    )


def test_a_project_file_holds_it_in_its_table(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n\n[tool.v2vlint]\ntarget = "azure"\n'
    assert parsed(tmp_path, text, "pyproject.toml").target == ("azure",)
    assert parsed(tmp_path, "[project]\n", "pyproject.toml") == Config(origin="pyproject.toml", folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ("target =", "v2vlint.toml: not valid TOML: Invalid value (at end of document)", ""),
        ("taget = 'kvm'", "v2vlint.toml: unknown key 'taget'", "did you mean target?"),
        ("fail_on = 'error'", "v2vlint.toml: unknown key 'fail_on'", "did you mean fail-on?"),
        ("zzzzzz = 1", "v2vlint.toml: unknown key 'zzzzzz'", "known keys: target, mover"),
        ("target = 3", "v2vlint.toml: target: must be a text or a list of texts", ""),
        ("target = ['kvm', 3]", "v2vlint.toml: target: must be a text or a list of texts", ""),
        ("mover = 'cart'", "v2vlint.toml: mover: must be one of raw, virt-v2v", ""),
        ("fail-on = 'high'", "v2vlint.toml: fail-on: must be one of info, warning, error", ""),
        ("strict = 'yes'", "v2vlint.toml: strict: must be true or false", ""),
        ("jobs = 0", "v2vlint.toml: jobs: must be a positive whole number", ""),
        ("jobs = true", "v2vlint.toml: jobs: must be a positive whole number", ""),
        ("memory-limit = 1.5", "v2vlint.toml: memory-limit: must be a size such as '2GiB'", ""),
        ("severity = 'info'", "v2vlint.toml: severity: must be a table", ""),
        ("[severity]\nx = 'off'", "v2vlint.toml: severity.x: must be one of info, warning, error", ""),
        ("targets = ['kvm']", "v2vlint.toml: targets: must be a table", ""),
        ("targets.lab = 'kvm'", "v2vlint.toml: targets.lab: must be a table", ""),
        ("[exceptions]\nid = 'x'", "v2vlint.toml: exceptions: must be tables, written as [[exceptions]]", ""),
        ("[[exceptions]]\nid = 'x'", "v2vlint.toml: exceptions #1: reason missing", ""),
        ("[[exceptions]]\nid = 'x'\nreason = ''", "v2vlint.toml: exceptions #1: reason missing", ""),
        ("[[exceptions]]\nid='x'\nreason='y'\n[[exceptions]]\nimage='z'", "v2vlint.toml: exceptions #2: id and reason missing", ""),
        (
            "[[exceptions]]\nid='x'\nreason='y'\nexpire=2026-01-01",
            "v2vlint.toml: exceptions #1: unknown key 'expire'",
            "did you mean expires?",
        ),
        (
            "[[exceptions]]\nid='x'\nreason='y'\nexpires='soon'",
            "v2vlint.toml: exceptions #1: expires: must be a date such as 2026-12-31",
            "",
        ),
        ("[[images]]\nmatch='x'", "v2vlint.toml: images #1: recipe missing", ""),
    ],
)
def test_mistakes(tmp_path: Path, text: str, complaint: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(tmp_path, text)
    assert error.value.message.removeprefix(f"{tmp_path}/") == complaint
    assert error.value.hint.startswith(hint)
    assert bool(error.value.hint) == bool(hint)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "v2vlint.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read(tmp_path / "v2vlint.toml")
    with pytest.raises(UsageError, match="no such file or directory"):
        read(tmp_path / "none.toml")


def test_the_nearest_file_wins(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "v2vlint.toml").write_text("")
    assert find(inner) == tmp_path / "v2vlint.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\n")
    assert find(inner) == tmp_path / "v2vlint.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.v2vlint]\n")
    assert find(inner) == tmp_path / "a" / "pyproject.toml"
    (tmp_path / "a" / "v2vlint.toml").write_text("")
    assert find(inner) == tmp_path / "a" / "v2vlint.toml"
