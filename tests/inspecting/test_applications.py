"""What is installed, from every database. Its RPM files are those of tests/facts/packages/data."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE
from v2vlint.inspecting.applications import applications, split_version
from v2vlint.model.machine import Application
from v2vlint.samples.memory import memory_guest

DATA = Path(__file__).parents[1] / "facts" / "packages" / "data"
STATUS = """Package: bash
Status: install ok installed
Maintainer: Matthias Klose <doko@debian.org>
Architecture: amd64
Source: bash (5.2.15-2)
Version: 5.2.15-2+b2
Conffiles:
 /etc/bash.bashrc 89269e1298235f1b12b4c16e4065ad0d
Description: GNU Bourne Again SHell
 Bash is an sh-compatible
 .
  shell.
Homepage: http://tiswww.case.edu/php/chet/bash/bashtop.html

Package: old
Status: deinstall ok config-files
Version: 1

Package: dpkg
Status: install ok installed
Version: 1:1.21-3-1
"""
RPMS = {"/var/lib/rpm/rpmdb.sqlite": "rpmdb.sqlite.gz", "/var/lib/rpm/Packages": "Packages.bdb.gz"}
QUERY = "%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{ARCH}|%{SUMMARY}\n"


def found(files: dict[str, str | bytes]) -> tuple[Application, ...]:
    listed, problems = applications(memory_guest(files))
    assert problems == ()
    return listed


def test_dpkg() -> None:
    bash, dpkg = found({"/var/lib/dpkg/status": STATUS})
    assert bash == Application(
        name="bash",
        version="5.2.15",
        release="2+b2",
        arch="amd64",
        publisher="Matthias Klose <doko@debian.org>",
        url="http://tiswww.case.edu/php/chet/bash/bashtop.html",
        source="bash",
        summary="GNU Bourne Again SHell",
        description="Bash is an sh-compatible\n.\n shell.",
    )
    assert (dpkg.epoch, dpkg.version, dpkg.release, dpkg.full_version) == (1, "1.21", "3-1", "1:1.21-3-1")


def test_apk_and_pacman_and_portage() -> None:
    files: dict[str, str | bytes] = {
        "/lib/apk/db/installed": "P:musl\nV:1.2.4-r2\nA:x86_64\nT:the musl library\nU:https://musl.libc.org/\no:musl\n\nQ:x\n\n",
        "/var/lib/pacman/local/zlib-1:1.3-2/desc": "%NAME%\nzlib\n\n%VERSION%\n1:1.3-2\n\n%DESC%\nCompression\n\n%ARCH%\nx86_64\n",
        "/var/lib/pacman/local/ALPM_DB_VERSION": "9\n",
        "/var/db/pkg/sys-libs/glibc-2.38-r10/DESCRIPTION": "GNU libc6\n",
    }
    shown = [(one.name, one.full_version, one.arch, one.description or one.summary) for one in found(files)]
    assert shown == [
        ("glibc", "2.38-r10", "", "GNU libc6"),
        ("musl", "1.2.4-2", "x86_64", "the musl library"),
        ("zlib", "1:1.3-2", "x86_64", "Compression"),
    ]


@pytest.mark.parametrize("path", RPMS)
def test_rpm_says_the_same(tmp_path: Path, path: str) -> None:
    data = gzip.decompress((DATA / RPMS[path]).read_bytes())
    listed = found({path: data})
    assert {one.name for one in listed} == {"alpha", "beta", "gamma"}
    if "sqlite" not in path or not shutil.which("rpm"):
        return
    (tmp_path / "rpmdb.sqlite").write_bytes(data)
    done = subprocess.run(["rpm", "--dbpath", str(tmp_path), "-qa", "--qf", QUERY], capture_output=True, text=True, check=True)
    ours = {f"{one.name}|{one.epoch}|{one.version}|{one.release}|{one.arch}|{one.summary}" for one in listed}
    assert ours == set(done.stdout.splitlines())


def test_a_damaged_database_does_not_hide_the_others() -> None:
    listed, problems = applications(memory_guest({"/var/lib/dpkg/status": STATUS, "/var/lib/rpm/Packages": b"x" * 5000}))
    assert [one.name for one in listed] == ["bash", "dpkg"]
    assert [problem.where for problem in problems] == ["/var/lib/rpm/Packages"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_databases(text: str) -> None:
    paths = ("/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/pacman/local/x-1-1/desc", "/var/db/pkg/a/b-1/DESCRIPTION")
    listed, _problems = applications(memory_guest(dict.fromkeys(paths, text.encode("utf-8", "surrogateescape"))))
    assert all(isinstance(one.name, str) for one in listed)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1.0", (0, "1.0", "")), ("2:1-1-2", (2, "1", "1-2")), ("x:1", (0, "1", "")), ("", (0, "", "")), ("9" * 40 + ":1", (0, "1", ""))],
)
def test_versions(text: str, wanted: tuple[int, str, str]) -> None:
    assert split_version(text) == wanted
