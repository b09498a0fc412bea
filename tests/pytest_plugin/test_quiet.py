"""A guest writes no command into the log of a CI runner, not even where pytest itself shows what was compared."""

from __future__ import annotations

import re

import pytest

pytest_plugins = ("pytester",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pytest_plugin")]

HOSTILE = "##vso[task.setvariable variable=x]\n::error::pwned\n##[warning]\n"
SUITE = """
    def test_compared(v2vlint_open):
        text = v2vlint_open("tree:root").file("/etc/motd").text
        assert str(text) == ""

    def test_raised(v2vlint_open):
        raise ValueError(str(v2vlint_open("tree:root").file("/etc/motd").text))
"""
COMMAND = re.compile(r"##\w*\[|^\s*::\w+::", re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("-l", "--tb=long", "-vv"), ("--tb=native",)])
def test_no_failure_shows_a_command(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """Neither on the screen nor in JUnit's file, while the text can be recognised."""
    etc = pytester.mkdir("root") / "etc"
    for folder in (etc, *(etc.parent / name for name in ("bin", "lib", "dev", "usr", "var"))):
        folder.mkdir()
    (etc / "os-release").write_text("ID=debian\nVERSION_ID=12\n")
    (etc / "debian_version").write_text("12.1\n")
    (etc / "fstab").write_text("")
    (etc / "motd").write_text(HOSTILE)
    pytester.makepyfile(SUITE)
    result = pytester.runpytest("--junitxml=junit.xml", *options)
    result.assert_outcomes(failed=2)
    shown = result.stdout.str() + (pytester.path / "junit.xml").read_text()
    assert r"#\x23vso[task.setvariable" in shown
    assert not COMMAND.search(shown)
