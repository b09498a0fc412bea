"""SELinux: the mode that counts, the policy, the label of what a fix writes."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, fact
from v2vlint.facts.environment.selinux import CONFIG, Selinux, SelinuxConfig
from v2vlint.samples.boot import sample_boot


@pytest.mark.parametrize(
    ("config", "args", "mode"),
    [
        ("SELINUX=enforcing\n", "ro", "enforcing"),
        ("SELINUX=Permissive\n", "ro", "permissive"),
        ("#SELINUX=disabled\nSELINUX=enforcing\nSELINUX=disabled\n", "ro", "disabled"),
        ("SELINUX=enforcing\n", "ro selinux=0", "disabled"),
        ("SELINUX=enforcing\n", "ro enforcing=0", "permissive"),
        ("SELINUX=permissive\n", "ro enforcing=1", "enforcing"),
        ("SELINUX=disabled\n", "ro enforcing=1", "disabled"),
    ],
)
def test_the_mode_that_counts(config: str, args: str, mode: str) -> None:
    assert fact(Selinux, {**sample_boot(args=args), CONFIG: config}).mode == mode


def test_without_a_configuration_there_is_no_mode() -> None:
    assert fact(Selinux, sample_boot()).mode == ""


@pytest.mark.parametrize(
    ("files", "contexts"),
    [
        ({CONFIG: "SELINUX=enforcing\nSELINUXTYPE=mls\n", "/usr/sbin/load_policy": ""}, "/etc/selinux/mls/contexts/files/file_contexts"),
        ({CONFIG: "SELINUX=disabled\n", "/usr/sbin/load_policy": ""}, ""),
        ({CONFIG: "SELINUX=enforcing\n"}, ""),
        ({"/usr/sbin/load_policy": ""}, ""),
    ],
)
def test_where_a_fix_looks_up_labels(files: Files, contexts: str) -> None:
    assert fact(SelinuxConfig, files).contexts == contexts


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    fact(SelinuxConfig, {CONFIG: text})
