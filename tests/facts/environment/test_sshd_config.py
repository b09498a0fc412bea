"""sshd's configuration, held against ``sshd -T``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE, Files, fact
from v2vlint.facts.environment.sshd_config import DEFAULTS, PATH, SshdConfig
from v2vlint.model.errors import FactUnavailable

SSHD = "/usr/sbin/sshd"
STATUS = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n"
D = "/etc/ssh/sshd_config.d"

CONFIGS: dict[str, Files] = {
    "first wins": {PATH: "PermitRootLogin no\nPermitRootLogin yes\nport 2222\n"},
    "include comes first": {PATH: f"Include {D}/*.conf\nPasswordAuthentication yes\n", f"{D}/10.conf": "PasswordAuthentication no\n"},
    "include comes last": {PATH: f"PasswordAuthentication yes\nInclude {D}/*.conf\n", f"{D}/10.conf": "PasswordAuthentication no\n"},
    "in order of names": {PATH: f"Include {D}/*.conf\n", f"{D}/20.conf": "MaxAuthTries 2\n", f"{D}/10.conf": "MaxAuthTries 1\n"},
    "match is left out": {PATH: "Match User bob\n  PasswordAuthentication no\n  X11Forwarding yes\n"},
    "match ends with its file": {PATH: f"Include {D}/*.conf\nX11Forwarding yes\n", f"{D}/1.conf": "Match User bob\nX11Forwarding no\n"},
    "match all": {PATH: "Match User bob\nX11Forwarding no\nMatch all\nX11Forwarding yes\n"},
    "include in a match": {PATH: f"Match User bob\nInclude {D}/1.conf\n", f"{D}/1.conf": "X11Forwarding yes\n"},
    "equals and quotes": {PATH: 'PermitRootLogin="no"\nMaxAuthTries = 3\n\tLogLevel VERBOSE # loud\n'},
    "old names": {PATH: "ChallengeResponseAuthentication no\n"},
    "defaults": {PATH: "# nothing\n"},
    "case": {PATH: "PERMITROOTLOGIN No\nx11forwarding YES\n"},
}


@pytest.mark.skipif(not Path(SSHD).exists() or os.getuid() != 0, reason="needs sshd and root")
@pytest.mark.parametrize("which", CONFIGS)
def test_it_is_as_sshd_prints_it(which: str, tmp_path: Path) -> None:
    files = CONFIGS[which]
    found = fact(SshdConfig, {**files, "/var/lib/dpkg/status": STATUS})
    printed = _printed(files, tmp_path)
    for keyword in DEFAULTS:
        setting = found.get(keyword)
        ours = setting.text if setting else found.default(keyword)
        theirs = printed[keyword].replace("without-password", "prohibit-password")
        assert ours.lower() == theirs.lower(), keyword


def _printed(files: Files, folder: Path) -> dict[str, str]:
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(key)], check=True)
    for path, content in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(content, str)
        target.write_text(content.replace("/etc/ssh", f"{folder}/etc/ssh"))
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-T", "-f", f"{folder}{PATH}", "-h", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return {keyword: value for keyword, _, value in reversed(lines)}


def test_what_a_match_says_is_kept_apart() -> None:
    found = fact(SshdConfig, CONFIGS["match is left out"])
    assert [(one.text, one.match) for one in found.conditional("PasswordAuthentication")] == [("no", "User bob")]


def test_an_unknown_version_has_no_defaults() -> None:
    found = fact(SshdConfig, {PATH: "Port 22\n"})
    with pytest.raises(FactUnavailable, match="of unknown version"):
        found.default("PermitRootLogin")


@pytest.mark.parametrize("text", ["SSHD_OPTS='-o PermitRootLogin=yes'\n", "OPTIONS=-f/etc/other\n"])
def test_options_of_the_command_line_are_seen(text: str) -> None:
    assert fact(SshdConfig, {PATH: "", "/etc/default/ssh": text}).options is not None
    assert fact(SshdConfig, {PATH: "", "/etc/default/ssh": "SSHD_OPTS=-4\n"}).options is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    fact(SshdConfig, {PATH: text})
    fact(SshdConfig, {PATH: f"Include {PATH}\n" * 50})
