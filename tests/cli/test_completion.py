"""Completions in the real shells, and the manual page through groff."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from v2vlint.cli.completion import bash, fish, zsh
from v2vlint.cli.main import VERBS
from v2vlint.cli.manual import manual
from v2vlint.cli.surface import Takes, verbs

BASH = """
source "$1"; cd "$2"; shift 2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_v2vlint
printf '%s\\n' "${COMPREPLY[@]}"
"""


def shell(name: str, *words: str) -> str:
    """What a shell prints; the test is skipped where it is not installed."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([name, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_surface_has_every_verb_and_option() -> None:
    by_name = {verb.name: verb for verb in verbs()}
    assert list(by_name) == list(VERBS)
    options = {flag: option for option in by_name["check"].options for flag in option.flags}
    assert options["--target"].takes is Takes.TARGET
    assert options["--target"].repeatable
    assert options["--mover"].choices == ("raw", "virt-v2v")
    assert options["--strict"].takes is Takes.NOTHING
    assert options["--report"].takes is Takes.REPORT
    assert [argument.metavar for argument in by_name["check"].arguments] == ["IMAGE"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ch"], ["check"]),
        (["check", "--mover", "v"], ["virt-v2v"]),
        (["disk.qcow2", "--fail-on", ""], ["error", "warning", "info"]),
        (["check", "--target", "hyperv"], ["hyperv-gen1", "hyperv-gen2"]),
        (["check", "--report", "sar"], ["sarif="]),
        (["explain", "fstab-device-n"], ["fstab-device-name"]),
        (["undo", "--f"], ["--force"]),
        (["check", "--basel"], ["--baseline"]),
        (["check", "--baseline", ""], [""]),
    ],
)
def test_bash(words: list[str], offered: list[str], tmp_path: Path) -> None:
    script = tmp_path / "completion"
    (tmp_path / "empty").mkdir()
    script.write_text(bash(verbs()))
    assert shell("bash", "-c", BASH, "bash", str(script), str(tmp_path / "empty"), "v2vlint", *words).splitlines() == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("v2vlint bas", ["baseline"]),
        ("v2vlint check --mover ", ["raw", "virt-v2v"]),
        ("v2vlint disk.qcow2 --mover v", ["virt-v2v"]),
        ("v2vlint undo --for", ["--force"]),
        ("v2vlint targets --format ", ["json", "text"]),
        ("v2vlint explain fstab-device-n", ["fstab-device-name"]),
    ],
)
def test_fish(line: str, offered: list[str], tmp_path: Path) -> None:
    script = tmp_path / "v2vlint.fish"
    script.write_text(fish(verbs()))
    printed = shell("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")
    assert sorted(row.split("\t")[0] for row in printed.splitlines()) == offered


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -D -u; source $1; zstyle ':completion:*' list-prompt ''; bindkey '^I' complete-word"
zpty -w shell "print READY"
zpty -r -m shell out '*READY*READY*'
zpty -w -n shell "$2"$'\\t'
for step in {1..40}; do
    while zpty -r -t shell chunk; do printf '%s' "$chunk"; done
    sleep 0.1
done
zpty -d shell
"""


@pytest.mark.slow
@pytest.mark.parametrize(("line", "completed"), [("v2vlint basel", "v2vlint baseline"), ("v2vlint check --mover v", "--mover virt-v2v")])
def test_zsh(line: str, completed: str, tmp_path: Path) -> None:
    script = tmp_path / "_v2vlint"
    script.write_text(zsh(verbs()))
    shell("zsh", "-f", "-n", str(script))
    assert completed in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x07\x08\r\n]", "", shell("zsh", "-f", "-c", ZSH, "zsh", str(script), line))


def test_the_manual_page_is_clean_roff_with_everything(tmp_path: Path) -> None:
    page = tmp_path / "v2vlint.1"
    page.write_text(manual(verbs()))
    text = re.sub(r".\x08", "", shell("groff", "-man", "-ww", "-Tutf8", "-P-c", str(page)))
    flat = re.sub(r"\s+", " ", text.replace("‐\n", ""))
    for verb in verbs():
        assert f"OPTIONS OF {verb.name.upper()}" in flat
        for option in verb.options:
            assert all(flag in flat for flag in option.flags)
    assert "EXIT STATUS" in flat


def test_the_manual_page_of_the_repository_is_today_s() -> None:
    committed = Path(__file__).parents[2] / "docs" / "v2vlint.1"
    assert committed.read_text("utf-8") == manual(verbs()), "run 'make docs'"
