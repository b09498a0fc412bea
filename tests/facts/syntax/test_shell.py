"""Assignments are those that bash(1) makes when it sources the file."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE
from v2vlint.facts.syntax.located import Located
from v2vlint.facts.syntax.shell import Assignment, assignments
from v2vlint.guest.text import GuestText

TEXTS = (
    "RESUME=UUID=0a3f resume_offset=34816\n",
    "RESUME=/dev/sda2 # comment\nRESUME=none;A=1;\n",
    "LANG=C true\nA=2\n",
    "export A=1 B='2 3'\nreadonly C\ndeclare -r D=4\n",
    'A="one two"\nB="$A three"\nC=$A-x\nD=${A}y${NONE:-z}w\n',
    'A="it\'s"\nB=\'say "x"\'\nC=a"b c"\'d e\'f\n',
    'A="a\\"b\\\\c\\$d"\nB=a\\ b\\"c\nC="x\\y"\n',
    "A=1\\\n\nB=\"x \\\ny\"\nC='x\ny'\n",
    "A=\nB= C=x\nD=a#b\n#E=1\n F=2\n",
    "if true; then A=1; fi\nif [ -z \"$X\" ]\nthen\n  B=2\nfi\n",
    "true && A=1\n{ B=2; }\n",
    "A=1\nA+=2\nB+=x\n",
    'GRUB_CMDLINE_LINUX="quiet"\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0"\n',
    "L=(a b\n  c) M=1\n",
    "A=$(echo x)\nB=`echo \"y)\"`\nC=1\n",
)  # fmt: skip


def _ours(text: str) -> dict[str, str | None]:
    """Values by name; None for one that holds what a command printed."""
    values: dict[str, Located] = {}
    unread: set[str] = set()
    for one in assignments(GuestText("/x", text)):
        if not isinstance(one, Assignment):
            continue
        before = values.get(one.name, Located()) if one.adds else Located()
        values[one.name] = before + one.value(values)
        if any(not isinstance(part, Located) and not part.name for part in one.parts):
            unread.add(one.name)
    return {name: None if name in unread else value.text for name, value in values.items()}


def _bash(text: str, names: list[str], folder: Path) -> dict[str, str]:
    (folder / "file").write_text(text)
    show = "".join(f'printf "%s\\0" "${{{name}}}"; ' for name in names)
    told = subprocess.run(["bash", "-c", f". ./file; {show}"], cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    return dict(zip(names, told.stdout.decode().split("\0"), strict=False))


def _agree(text: str, folder: Path) -> None:
    names = ["A", "B", "C", "D", "E", "F", "M", "LANG", "RESUME", "resume_offset", "GRUB_CMDLINE_LINUX"]
    ours, theirs = _ours(text), _bash(text, names, folder)
    for name in names:
        if ours.get(name, "") is not None:
            assert ours.get(name, "") == theirs[name], (name, text)


@pytest.mark.parametrize("text", TEXTS)
def test_values_are_those_of_the_shell(text: str, tmp_path: Path) -> None:
    _agree(text, tmp_path)


def test_values_of_random_files(tmp_path: Path) -> None:
    pieces = ("a", "b c", '"', "'x'", '"y z"', "\\ ", "$A", "${B}", '"$A"', " ", "#", "=", "1")
    for seed in range(80):
        chance = random.Random(seed)
        lines = (f"{chance.choice('ABCD')}={''.join(chance.choices(pieces, k=chance.randrange(4)))}" for _ in range(4))
        text = "\n".join(line for line in lines if line.count('"') % 2 == 0 and " " not in line.replace("\\ ", "").replace('"y z"', ""))
        _agree(text + "\n", tmp_path)


def test_lists_are_told_by_what_is_between_the_brackets() -> None:
    found = [one for one in assignments(GuestText("/x", "L=(a b\n  c) M=1\n")) if isinstance(one, Assignment)]
    assert [(one.name, one.inner.value) for one in found] == [("L", "a b\n  c"), ("M", "1")]


@pytest.mark.parametrize("text", [*HOSTILE, "A='" * 5000, 'A="$(' * 5000, "A=`" * 5001, "A=(" * 5000, "A=${" * 5000])
def test_any_text_is_survived_and_keeps_its_places(text: str) -> None:
    for one in assignments(GuestText("/x", text)):
        if isinstance(one, Assignment):
            assert text[one.inner.where.start : one.inner.where.end] == one.inner.value
