"""Which host files a check opens, changes or starts, as the kernel sees it: a whole `v2vlint check` of damaged images under strace(1)."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import v2vlint
from tests.fuzz.mutate import damage
from tests.fuzz.seeds import CONTAINERS, seeds

needs_tools = pytest.mark.skipif(not shutil.which("qemu-img") or not shutil.which("strace"), reason="qemu-utils and strace are needed")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (\d+)(?:<([^>]*)>)?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPENS = ("open", "openat", "openat2", "creat")
_CALLS = (
    *_OPENS, "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
    "symlinkat", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate", "utimensat", "setxattr", "connect",
    "bind", "execve", "execveat", "ptrace", "mount",
)  # fmt: skip
_WRITING = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b")
# What Python, the C library and OpenSSL look at wherever a program is started.
_SYSTEM = (
    "/lib", "/usr/lib", "/usr/local/lib", "/usr/share/locale", "/usr/share/zoneinfo", "/usr/share/terminfo", "/etc/ld.so.cache",
    "/etc/localtime", "/etc/terminfo", "/etc/inputrc", "/dev/null", "/dev/urandom", "/etc/os-release", "/etc/nsswitch.conf", "/etc/passwd",
    "/etc/locale.alias", "/etc/ssl/openssl.cnf",
)  # fmt: skip
_OWN_PROCESS = re.compile(r"/(?:proc/(?:\d+|self)/|sys/devices/system/cpu|sys/fs/cgroup|proc/(?:sys/|cpuinfo|meminfo|filesystems))")


@dataclass(frozen=True)
class Sandbox:
    """What the run may read besides the system: ``read`` are folders and files; in ``code`` Python may keep compiled modules."""

    read: tuple[Path, ...]
    program: str
    code: tuple[Path, ...] = ()

    def offence(self, line: str) -> str:
        """What is wrong with a line of strace's output that tells of a call that worked; empty when nothing is."""
        if not (match := _CALL.match(line)):
            return ""
        call, arguments, _result, opened = match.groups()
        quoted = _QUOTED.findall(arguments)
        path = (opened or "").removesuffix("(deleted)") or (quoted[0] if quoted else "")
        compiled = any(path.startswith(f"{one}/") for one in self.code) and "/__pycache__/" in path
        if call not in _OPENS:
            return "" if (call == "execve" and quoted[0] == self.program) or (call == "rename" and compiled) else line
        if compiled or "O_PATH" in arguments:
            return ""
        if _WRITING.search(arguments.rpartition('"')[2]):
            return "" if path in ("/dev/null", "/dev/tty") else line
        inside = any(path == str(one) or path.startswith(f"{one}/") for one in (*self.read, *_SYSTEM))
        return "" if inside or _OWN_PROCESS.match(path) else line


def sandbox(images: Path) -> Sandbox:
    """Python with the product, and ``images``; configuration is looked for in the current folder and above."""
    product = Path(v2vlint.__file__).parents[2]
    paths = (sys.prefix, sys.base_prefix, *(entry for entry in sys.path if entry))
    above = [folder / name for folder in (images, *images.parents) for name in ("pyproject.toml", "v2vlint.toml")]
    resolved = tuple(Path(os.path.realpath(path)) for path in (*paths, str(images)))
    return Sandbox((*resolved, product, Path(sys.executable).parent, *above), sys.executable, (*resolved[:-1], product))


def run(images: Path, log: Path) -> tuple[int, str]:
    """`check` everything in ``images`` under strace; exit code and what it said."""
    command = ["strace", "-f", "-y", "-s", "4096", "-o", str(log), "-e", f"trace={','.join(f'?{call}' for call in _CALLS)}", sys.executable]
    words = ["-m", "v2vlint", "check", "--no-config", "--no-cache", "-q", "-j", "2", "."]
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it would write its data file
    environment = {**own, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *words], cwd=images, env=environment, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout + done.stderr


def damaged(folder: Path, count: int, guests: int) -> Iterator[Path]:
    """``count`` damaged images of seeds in every container, among whole ones' other disks."""
    scratch, images = folder / "seeds", folder / "images"
    scratch.mkdir()
    images.mkdir()
    known = list(seeds(scratch, guests))
    assert {seed.name.partition(".")[2] for seed in known} == set(CONTAINERS)
    for number in range(count):
        rng, seed = random.Random(number), known[number % len(known)]
        data = bytearray(seed.data)
        damage(data, seed.known, rng)
        image = images / f"{number}-{seed.name}"
        image.write_bytes(data)
        yield image


@needs_tools
@pytest.mark.parametrize(("count", "guests"), [pytest.param(9, 3, marks=pytest.mark.slow), pytest.param(68, 100, marks=pytest.mark.truth)])
def test_no_damaged_image_makes_it_touch_anything_else(tmp_path: Path, count: int, guests: int) -> None:
    images = list(damaged(tmp_path, count, guests))
    before = {image: image.read_bytes() for image in images}
    code, said = run(tmp_path / "images", tmp_path / "log")
    assert code in (0, 1, 3), said
    rules = sandbox(tmp_path / "images")
    lines = (tmp_path / "log").read_text("utf-8", "replace").splitlines()
    assert [line for line in lines if rules.offence(line)] == []
    opened = {image for image in images if any(f"<{image}>" in line or f'"{image}"' in line for line in lines)}
    assert opened == set(images)
    assert {image: image.read_bytes() for image in images} == before
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == sorted(image.name for image in images)


@pytest.mark.parametrize(
    "line",
    [
        '12 openat(AT_FDCWD</work>, "/etc/shadow", O_RDONLY|O_CLOEXEC) = 3</etc/shadow>',
        '12 openat(AT_FDCWD</work>, "link", O_RDONLY) = 3</root/.ssh/id_rsa>',
        '12 openat(AT_FDCWD</work>, "/images/a.qcow2", O_RDWR) = 3</images/a.qcow2>',
        '12 openat(AT_FDCWD</work>, "/images/new", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</images/new>',
        '12 unlink("/images/a.qcow2") = 0',
        '12 rename("/images/a", "/images/b") = 0',
        '12 rename("/images/__pycache__/a.1", "/images/__pycache__/a") = 0',
        '12 execve("/usr/bin/qemu-img", ["qemu-img"], 0x7ffd /* 3 vars */) = 0',
        "12 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0",
    ],
)
def test_an_offence_is_seen(line: str) -> None:
    assert Sandbox((Path("/images"),), "/usr/bin/python3").offence(line)


@pytest.mark.parametrize(
    "line",
    [
        '12 openat(AT_FDCWD</work>, "/etc/shadow", O_RDONLY) = -1 EACCES (Permission denied)',
        '12 openat(AT_FDCWD</work>, "a.qcow2", O_RDONLY|O_CLOEXEC) = 3</images/a.qcow2>',
        '12 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0',
        '12 openat(AT_FDCWD</work>, "/dev/null", O_RDWR) = 3</dev/null>',
        "12 +++ exited with 0 +++",
    ],
)
def test_what_is_ordinary_is_no_offence(line: str) -> None:
    assert not Sandbox((Path("/images"),), "/usr/bin/python3").offence(line)
