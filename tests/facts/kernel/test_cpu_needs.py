"""The CPU a userland needs, by real ELF files and made ones; what Portage was told; memory set aside."""

from __future__ import annotations

import io
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE, Files, at, fact
from v2vlint.facts.kernel.compile_flags import CompileFlags
from v2vlint.facts.kernel.cpu_needs import CpuNeeds
from v2vlint.facts.kernel.elf import ElfNeeds, read_elf_needs
from v2vlint.facts.kernel.huge_pages import HugePages
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Link
from v2vlint.samples.boot import sample_boot, sample_elf

LIBC = "/lib64/libc.so.6"


@pytest.mark.parametrize("level", range(5))
def test_made_files(level: int) -> None:
    assert read_elf_needs(io.BytesIO(sample_elf(level))) == ElfNeeds("x86_64", level)


@pytest.mark.skipif(not (shutil.which("readelf") and shutil.which("gcc")), reason="binutils or gcc is not installed")
@pytest.mark.parametrize("options", [[], ["-Wl,-z,x86-64-v2"], ["-Wl,-z,x86-64-v3"], ["-Wl,-z,x86-64-v4"], ["-static", "-Wl,-z,x86-64-v3"]])
def test_real_files_as_readelf_sees_them(tmp_path: Path, options: list[str]) -> None:
    program = tmp_path / "program"
    made = subprocess.run(["gcc", "-xc", "-", *options, "-o", program], input="int main(){}", text=True, capture_output=True, check=False)
    if made.returncode:
        pytest.skip(made.stderr)
    shown = subprocess.run(["readelf", "-nW", program], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"x86 ISA needed: ([^\n]*)", shown)
    level = max((int(n) for line in needed for n in re.findall(r"v([234])", line)), default=1 if needed else 0)
    with program.open("rb") as stream:
        assert read_elf_needs(stream) == ElfNeeds("x86_64", level)


def _elf32(machine: int = 3, order: str = "<") -> bytes:
    properties = struct.pack(f"{order}III", 0xC0008002, 4, 3)
    note = struct.pack(f"{order}III", 4, len(properties), 5) + b"GNU\0" + properties
    head = b"\x7fELF\x01" + (b"\x01" if order == "<" else b"\x02") + b"\x01" + bytes(9)
    head += struct.pack(f"{order}HHIIIIIHHHHHH", 3, machine, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return head + struct.pack(f"{order}IIIIIIII", 4, 84, 84, 84, len(note), len(note), 4, 4) + note


def test_narrow_and_foreign_files() -> None:
    assert read_elf_needs(io.BytesIO(_elf32())) == ElfNeeds("i386", 2)
    assert read_elf_needs(io.BytesIO(_elf32(8, ">"))) == ElfNeeds("", 2)
    assert read_elf_needs(io.BytesIO(b"#!/bin/sh\n" + bytes(99))) is None
    assert read_elf_needs(io.BytesIO(sample_elf(3)[:58])) is None


@pytest.mark.parametrize("seed", range(200))
def test_damaged_files_say_something_or_nothing(seed: int) -> None:
    chance, data = random.Random(seed), bytearray(sample_elf(3))
    for _ in range(chance.randint(1, 12)):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    found = fact(CpuNeeds, {LIBC: bytes(data[: chance.choice((len(data), 70, 130))])})
    assert 0 <= found.level <= 4


@pytest.mark.parametrize(
    ("files", "level", "machine"),
    [
        ({LIBC: sample_elf(2), "/lib64/ld-linux-x86-64.so.2": sample_elf(), "/sbin/init": sample_elf(1)}, 2, "x86_64"),
        ({LIBC: sample_elf(1), "/usr/lib64/glibc-hwcaps/x86-64-v4/libc.so.6": sample_elf(4)}, 1, "x86_64"),
        ({"/usr/lib/systemd/systemd": sample_elf(3), "/sbin/init": sample_elf(4)}, 4, "x86_64"),
        ({"/usr/lib/systemd/systemd": sample_elf(3), "/sbin/init": sample_elf(4), "/usr/bin/dracut": ""}, 3, "x86_64"),
        ({"/usr/lib/systemd/systemd": sample_elf(3), "/sbin/init": Link("/lib/systemd/systemd"), "/lib": Link("usr/lib")}, 3, "x86_64"),
        ({"/lib/libc.so.6": _elf32()}, 0, "i386"),
        ({LIBC: b"text"}, 0, ""),
        ({}, 0, ""),
    ],
)
def test_what_every_boot_runs(files: Files, level: int, machine: str) -> None:
    needs = fact(CpuNeeds, files)
    assert (needs.level, needs.machine) == (level, machine)
    assert (needs.highest.level if needs.highest else 0) == level


@pytest.mark.parametrize(
    ("distro", "version", "level"),
    [("rhel", "10.1", 3), ("rocky", "9.4", 2), ("almalinux", "10.0", 0), ("fedora", "41", 0), ("centos", "7.9", 0)],
)
def test_what_is_known_of_the_distribution(distro: str, version: str, level: int) -> None:
    os = OsInfo("linux", distro, "rhel", distro, version, "x86_64")
    assert fact(CpuNeeds, {}, os).distribution_level == level


def test_make_conf() -> None:
    text = 'COMMON_FLAGS="-O2 -march=native -mtune=native"\nCFLAGS="${COMMON_FLAGS}"\nRUSTFLAGS="-C target-cpu=znver4"\nUSE="-march=x"\n'
    flags = fact(CompileFlags, {"/etc/portage/make.conf/global": text})
    assert [at(token) for token in flags.march] == ["-march=native@1:19", "-mtune=native@1:33", "target-cpu=znver4@3:15"]
    assert [token.value for token in flags.native] == ["-march=native"]
    assert fact(CompileFlags, {}).march == ()


@pytest.mark.parametrize(
    ("files", "args", "mib"),
    [
        ({}, "ro", 0),
        ({"/etc/sysctl.conf": "# vm.nr_hugepages=9\n vm.nr_hugepages = 512 \n"}, "ro", 1024),
        ({"/etc/sysctl.d/a.conf": "vm/nr_hugepages=1\n", "/etc/sysctl.d/b.conf": "-vm.nr_hugepages=5\n"}, "ro", 10),
        ({"/usr/lib/sysctl.d/a.conf": "vm.nr_hugepages=9\n", "/etc/sysctl.d/a.conf": "x=1\n"}, "ro", 0),
        ({}, "ro hugepages=100", 200),
        ({}, "ro hugepagesz=1G hugepages=2 hugepagesz=2M hugepages=10", 2068),
        ({}, "ro default_hugepagesz=1G hugepages=3", 3072),
        ({"/etc/sysctl.conf": "vm.nr_hugepages=1\n"}, "ro default_hugepagesz=1G hugepages=3", 1024),
        ({"/etc/sysctl.conf": "vm.nr_hugepages=many\nvm.nr_hugepages=\n"}, "ro hugepages=x hugepagesz=9Q", 0),
    ],
)
def test_huge_pages(files: Files, args: str, mib: int) -> None:
    assert fact(HugePages, {**sample_boot(args=args), **files}).mib == mib


@pytest.mark.parametrize("content", HOSTILE)
def test_any_bytes_are_settings(content: str) -> None:
    assert fact(CompileFlags, {"/etc/make.conf": content}).native == ()
    assert fact(HugePages, {"/etc/sysctl.conf": content}).reserves == ()
