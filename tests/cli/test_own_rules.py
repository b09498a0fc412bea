"""Rules in a folder: written, tested, and run from a configuration that the operator names, never from one that was found."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from v2vlint.cli.options import jobs
from v2vlint.engine.config import parse
from v2vlint.engine.packs import load_folder
from v2vlint.model.errors import PackError, UsageError
from v2vlint.run.skeleton import write
from v2vlint.run.verifying import faults

PAGE = (Path(__file__).parents[2] / "docs/own-rules.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def folder(at: Path, **files: str) -> Path:
    """A folder of rules."""
    for name, text in files.items():
        (at / f"{name}.py").write_text(text)
    return at


def wrong(at: Path, **files: str) -> list[str]:
    """What ``v2vlint test`` says of the rules in these files."""
    return [fault for loaded in load_folder(str(folder(at, **files))) for fault in faults(loaded)]


def test_the_rule_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    assert wrong(tmp_path, policy=CODE[0]) == []


def test_a_new_rule_passes_as_it_is(tmp_path: Path) -> None:
    path = write("our-ca-missing", tmp_path / "rules")
    (loaded,) = load_folder(str(path.parent))
    assert (loaded.id, loaded.group, list(faults(loaded))) == ("our-ca-missing", "rules", [])
    with pytest.raises(UsageError, match="exists already"):
        write("our-ca-missing", tmp_path / "rules")
    with pytest.raises(UsageError, match="not an id"):
        write("Our CA", tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('flags=("/etc/shadow:2",)', 'flags=("/etc/shadow:1",)', "finds /etc/shadow:2, and should find /etc/shadow:1"),
        ("flags=(CA,)", "flags=(CA,), severity=Severity.ERROR", "the severity is warning, and should be error"),
        (', "everyone who knows it can log in to every copy")', ")", "does not say what happens"),
        ("if not fs.is_file(CA):", "if not fs.nothing(CA):", "failed: AttributeError"),
        ('title="as it should be"', "unknown=True", "no example shows a guest that is fine"),
        (
            "            yield self.finding(line.where",
            "            yield self.unknown(line.where, 'x') or self.finding(line.where",
            "could not tell: x",
        ),
    ],
)
def test_every_disagreement_is_named(tmp_path: Path, before: str, after: str, fault: str) -> None:
    assert before in CODE[0]
    text = CODE[0].replace(before, after)
    assert fault in "\n".join(wrong(tmp_path, policy=text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", r"bad\.py:1: SyntaxError"),
        ("import os\n\nos.nothing\n", r"bad\.py:3: AttributeError"),
        ("x = 1\n", "defines no rule"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PackError, match=message):
        load_folder(str(folder(tmp_path, bad=text)))


def test_only_a_configuration_that_is_named_brings_rules(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    folder(tmp_path / "rules", policy=CODE[0])
    (tmp_path / "v2vlint.toml").write_text('rules = ["rules"]\n')
    found = v2vlint("check", "nothing.qcow2", cwd=tmp_path)
    assert (found.returncode, "rules is allowed only in a configuration given with --config" in found.stderr) == (2, True)
    named = v2vlint("rules", "--config", "v2vlint.toml", cwd=tmp_path)
    assert "image-policy" in named.stdout
    told = v2vlint("explain", "--config", "v2vlint.toml", "image-policy", cwd=tmp_path)
    assert "our CA is missing" in told.stdout


def test_the_verb_says_what_failed(v2vlint: Run, tmp_path: Path) -> None:
    good = v2vlint("test", str(write("one-rule", tmp_path / "good").parent))
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "1 rule, 0 failed")
    (tmp_path / "bad").mkdir()
    bad = v2vlint("test", str(folder(tmp_path / "bad", policy=CODE[0].replace("flags=(CA,)", "flags=()"))))
    assert (bad.returncode, "FAILED image-policy" in bad.stdout) == (1, True)
    empty = v2vlint("test", str(tmp_path))
    assert empty.returncode == 4


@pytest.mark.parametrize(
    ("word", "near"), [("chek", "check"), ("Inspect", "inspect"), ("fxi", "fix"), ("targts", "targets"), ("x", ""), ("web.qcow2", "")]
)
def test_a_mistyped_verb_is_no_image(v2vlint: Run, tmp_path: Path, word: str, near: str) -> None:
    done = v2vlint(word, "a.qcow2", cwd=tmp_path)
    assert (done.returncode, f"did you mean 'v2vlint {near}'?" in done.stderr) == ((2, True) if near else (3, False))
    (tmp_path / word).write_bytes(b"")
    assert v2vlint(word, cwd=tmp_path).returncode == 3


def test_as_many_jobs_as_processors() -> None:
    assert jobs("auto") == len(os.sched_getaffinity(0)) == parse({"jobs": "auto"}, "x").jobs
    assert jobs("3") == 3
