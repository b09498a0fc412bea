"""Package databases. The two files in data/ were written by rpm 4.18 (SQLite) and by Berkeley DB 5.3 from the same headers."""

from __future__ import annotations

import gzip
import random
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE, at, fact
from v2vlint.facts.packages.installed import Packages
from v2vlint.model.errors import FactUnavailable

DATA = Path(__file__).parent / "data"
RPM = {"alpha 1.2.3-4.el9 noarch", "beta 2:1.2.3-4.el9 noarch", "gamma 1.2.3-4.el9 noarch"}
STATUS = """Package: bash
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b2
Description: shell
 Package: not this

Package: old
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: half
Status: install ok half-configured
Architecture: all
Version: 2:3-1

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
"""


def _names(packages: Packages) -> list[str]:
    return [f"{package} {package.arch}".strip() for package in packages.installed]


def _data(name: str) -> bytes:
    return gzip.decompress((DATA / name).read_bytes())


def test_dpkg() -> None:
    packages = fact(Packages, {"/var/lib/dpkg/status": STATUS})
    assert _names(packages) == ["bash 5.2.15-2+b2 amd64", "half 2:3-1 all", "libc6 2.36-9 i386", "libc6 2.36-9 amd64"]
    assert packages.managers == ("dpkg",)
    assert (packages["bash"].version, at(packages["half"].where), packages["libc6"].arch) == ("5.2.15-2+b2", "14:1", "amd64")
    assert [package.arch for package in packages.all("libc6")] == ["i386", "amd64"]
    assert [package.name for package in packages.matching("lib*", "ba?h")] == ["bash", "libc6", "libc6"]
    assert (len(packages), list(packages), "old" in packages, packages.get("none")) == (3, ["bash", "half", "libc6"], False, None)


def test_status_files_of_a_distroless_image() -> None:
    files = {
        "/var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\nArchitecture: all\n",
        "/var/lib/dpkg/status.d/x.md5sums": "x",
    }
    assert _names(fact(Packages, files)) == ["base-files 12 all"]


def test_apk() -> None:
    text = "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\n\nC:Q1y\nP:busybox\nV:1.36.1-r5\nA:x86_64\n\n"
    packages = fact(Packages, {"/lib/apk/db/installed": text})
    assert _names(packages) == ["musl 1.2.4-r2 x86_64", "busybox 1.36.1-r5 x86_64"]
    assert at(packages["busybox"].where) == "8:1"


def test_pacman_reads_the_architecture_of_basic_packages_only() -> None:
    folder = "/var/lib/pacman/local"
    files = {
        f"{folder}/ALPM_DB_VERSION": "9\n",
        f"{folder}/glibc-2.40+r16-3.1/desc": "%NAME%\nglibc\n\n%ARCH%\nx86_64_v3\n",
        f"{folder}/gtk-update-icon-cache-1:4.14.4-1/desc": "%NAME%\n\n%ARCH%\nx86_64\n",
    }
    assert _names(fact(Packages, files)) == ["glibc 2.40+r16-3.1 x86_64_v3", "gtk-update-icon-cache 1:4.14.4-1"]


def test_portage() -> None:
    files = {
        "/var/db/pkg/sys-libs/glibc-2.38-r10/SLOT": "",
        "/var/db/pkg/x11-libs/gtk+-3.24.39/SLOT": "",
        "/var/db/pkg/a/-MERGING-b-1/x": "",
    }
    assert {str(package) for package in fact(Packages, files).installed} >= {"glibc 2.38-r10", "gtk+ 3.24.39"}


def test_no_database_is_no_knowledge() -> None:
    empty = fact(Packages, {})
    assert (empty.managers, empty.known) == ((), False)
    assert fact(Packages, {"/var/lib/rpm/.rpm.lock": ""}).managers == ("rpm",)
    assert fact(Packages, {"/var/lib/dpkg/status": STATUS, "/var/lib/rpm/.rpm.lock": ""}).managers == ("dpkg", "rpm")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/var/lib/rpm/rpmdb.sqlite", "rpmdb.sqlite.gz"),
        ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "rpmdb.sqlite.gz"),
        ("/var/lib/rpm/Packages", "Packages.bdb.gz"),
    ],
)
def test_rpm_databases_written_by_the_real_thing(path: str, data: str) -> None:
    packages = fact(Packages, {path: _data(data)})
    assert set(_names(packages)) == RPM
    assert str(packages["beta"].where) == path


def test_every_record_of_a_hash_file_with_many_pages() -> None:
    assert len(fact(Packages, {"/var/lib/rpm/Packages": _data("Packages.bdb.gz")}).installed) == 39


def header(name: str, version: str = "1", release: str = "1", arch: str = "x86_64", epoch: int | None = None, filler: int = 0) -> bytes:
    """An RPM header blob with a description of ``filler`` bytes behind what matters."""
    tags: list[tuple[int, int, bytes]] = [(1000, 6, name.encode()), (1001, 6, version.encode()), (1002, 6, release.encode())]
    data, index = b"", b""
    for tag, kind, value in [*tags, (1022, 6, arch.encode()), (1005, 6, b"d" * filler)]:
        index += struct.pack(">IIII", tag, kind, len(data), 1)
        data += value + b"\0"
    if epoch is not None:
        data += bytes(-len(data) % 4)
        index += struct.pack(">IIII", 1003, 4, len(data), 1)
        data += struct.pack(">I", epoch)
    return struct.pack(">II", len(index) // 16, len(data)) + index + data


def _sqlite(tmp_path: Path, blobs: Sequence[bytes], page_size: int = 4096, wal: bool = False) -> dict[str, bytes]:
    database = tmp_path / "rpmdb.sqlite"
    connection = sqlite3.connect(database)
    connection.execute(f"pragma page_size = {page_size}")
    connection.execute(f"pragma journal_mode = {'wal' if wal else 'delete'}")
    connection.execute("create table Name (key text, hnum integer, idx integer)")
    connection.execute("create table Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("insert into Packages (blob) values (?)", [(blob,) for blob in blobs])
    connection.commit()
    files = {f"/var/lib/rpm/{path.name}": path.read_bytes() for path in tmp_path.iterdir() if "shm" not in path.name}
    connection.close()
    return files


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_sqlite_trees_with_inner_and_overflow_pages(tmp_path: Path, page_size: int) -> None:
    chance = random.Random(page_size)
    blobs = [header(f"package-{number}", epoch=number, filler=chance.choice((0, 300, 5000, 70_000))) for number in range(400)]
    packages = fact(Packages, _sqlite(tmp_path, blobs, page_size))
    assert [str(package) for package in packages.installed] == [f"package-{number} {number}:1-1" for number in range(400)]


def test_what_only_the_write_ahead_log_holds(tmp_path: Path) -> None:
    files = _sqlite(tmp_path, [header("fresh", filler=9000)], wal=True)
    assert len(files["/var/lib/rpm/rpmdb.sqlite-wal"]) > 0
    assert _names(fact(Packages, files)) == ["fresh 1-1 x86_64"]
    cut = {**files, "/var/lib/rpm/rpmdb.sqlite-wal": files["/var/lib/rpm/rpmdb.sqlite-wal"][:3000]}
    with pytest.raises(FactUnavailable):
        fact(Packages, cut)


def _ndb(blobs: Sequence[bytes]) -> bytes:
    slots, body, block = b"", b"", 4096 // 16
    for number, blob in enumerate(blobs, 1):
        entry = b"BlbS" + struct.pack("<III", number, 1, len(blob)) + blob
        entry += bytes(-(len(entry) + 12) % 16) + struct.pack("<II", 0, len(blob)) + b"BlbE"
        slots += b"Slot" + struct.pack("<III", number, block + len(body) // 16, len(entry) // 16)
        body += entry
    head = b"RpmP" + struct.pack("<IIII", 0, 1, 1, len(blobs) + 1) + bytes(12)
    empty = b"Slot" + bytes(12)
    return (head + slots).ljust(4096, b"\0")[: 32 + len(slots)] + empty * ((4096 - 32 - len(slots)) // 16) + body


def test_ndb() -> None:
    data = _ndb([header("aaa_base", filler=5000), header("gpg-pubkey"), header("zypper", "1.14", "150.1", epoch=0)])
    assert _names(fact(Packages, {"/usr/lib/sysimage/rpm/Packages.db": data})) == ["aaa_base 1-1 x86_64", "zypper 0:1.14-150.1 x86_64"]


BINARY = {
    "/var/lib/rpm/rpmdb.sqlite": _data("rpmdb.sqlite.gz"),
    "/var/lib/rpm/Packages": _data("Packages.bdb.gz"),
    "/var/lib/rpm/Packages.db": _ndb([header("a"), header("b", filler=400)]),
}


@pytest.mark.parametrize("path", BINARY)
@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_database_is_an_outcome(path: str, seed: int) -> None:
    chance, data = random.Random(seed), bytearray(BINARY[path])
    interesting = [position for position, byte in enumerate(data) if byte]
    for _ in range(chance.randint(1, 60)):
        data[chance.choice(interesting)] = chance.randrange(256)
    cut = bytes(data[: chance.choice((len(data), len(data) // 2, 600))])
    try:
        assert fact(Packages, {path: cut}).managers == ("rpm",)
    except FactUnavailable as unknown:
        assert str(unknown.where) == path  # noqa: PT017


@pytest.mark.parametrize("content", HOSTILE)
def test_any_text_is_a_database(content: str) -> None:
    packages = fact(
        Packages, {"/var/lib/dpkg/status": content, "/lib/apk/db/installed": content, "/var/lib/pacman/local/x-1-1/desc": content}
    )
    assert packages.managers == ("dpkg", "apk", "pacman")
