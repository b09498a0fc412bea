"""What machines leave behind, and who becomes root."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE, Files, fact
from v2vlint.engine.packs import load_all
from v2vlint.facts.environment.sudoers import Sudoers
from v2vlint.facts.environment.traces import MAX_FILES, Traces
from v2vlint.model.rule import Link

PAGE = Path(__file__).parents[3] / "docs" / "templates.md"


def test_homes_are_those_of_users_and_what_lies_in_home() -> None:
    files = {
        "/etc/passwd": "root:x:0:0::/root:/bin/bash\nweb:x:1000:1000::/srv/web:/bin/sh\nd:x:2:2::/var/d:/usr/sbin/nologin\n",
        **{f"{home}/.bash_history": "ls\n" for home in ("/root", "/srv/web", "/var/d", "/home/gone")},
    }
    found = [place.path for place in fact(Traces, files).of("history")]
    assert found == ["/root/.bash_history", "/srv/web/.bash_history", "/home/gone/.bash_history"]


def test_empty_files_links_to_nothing_and_folders_are_no_traces() -> None:
    files: Files = {"/root/.bash_history": "", "/root/.zsh_history": Link("/dev/null"), "/root/.viminfo/x": "1"}
    assert fact(Traces, files).of("history") == ()


def test_a_folder_of_many_files_is_cut_off() -> None:
    files = {f"/tmp/{number}": "x" for number in range(MAX_FILES + 10)}
    assert len(fact(Traces, files).of("temporary")) == MAX_FILES


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    fact(Sudoers, {"/etc/sudoers": text, "/etc/doas.conf": text})
    fact(Sudoers, {"/etc/sudoers": "@include /etc/sudoers\n" * 50})
    fact(Traces, {"/etc/passwd": text})


def test_the_page_names_rules_that_exist() -> None:
    known = {rule.id for rule in load_all()}
    table = PAGE.read_text().partition("## Coming from virt-sysprep")[2]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`([a-z0-9-]+)`", cell)} <= known


@pytest.mark.skipif(not shutil.which("virt-sysprep"), reason="no virt-sysprep")
def test_the_page_has_every_operation() -> None:
    done = subprocess.run(["virt-sysprep", "--list-operations"], capture_output=True, text=True, check=True)
    operations = {line.split()[0] for line in done.stdout.splitlines()}
    table = PAGE.read_text().partition("## Coming from virt-sysprep")[2]
    listed = {name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])}
    assert operations <= listed
