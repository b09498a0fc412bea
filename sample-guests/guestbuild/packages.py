"""Package databases: dpkg, apk and pacman as text, rpm as the SQLite file of rpm 4.16 and later or as Berkeley DB."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guestbuild.tools import BuildError, run

_NEVRA = re.compile(r"(?P<name>.+)-(?:(?P<epoch>\d+):)?(?P<version>[^-]+)-(?P<release>[^-]+)\.(?P<arch>[^.]+)")
_TAGS = {"name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "vendor": 1011, "arch": 1022, "sourcerpm": 1044}
_INT32, _STRING = 4, 6
_INDEXES = (
    "Name", "Basenames", "Group", "Requirename", "Providename", "Conflictname", "Obsoletename", "Triggername", "Dirnames", "Installtid",
    "Sigmd5", "Sha1header", "Filetriggername", "Transfiletriggername", "Recommendname", "Suggestname", "Supplementname", "Enhancename",
)  # fmt: skip
_COLUMNS: dict[str, tuple[str, ...]] = {"Name": ("key",), "Group": ("key",), "Sha1header": ("key",), "Installtid": (), "Sigmd5": ()}


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package; ``release`` and ``epoch`` are rpm's."""

    name: str
    version: str
    arch: str = ""
    release: str = ""
    epoch: int = 0


def install(manager: str, specs: Sequence[str], tree: Path, folder: str = "/var/lib/rpm") -> None:
    """Record packages in the database of ``manager`` (dpkg, apk, pacman, rpm, rpm-bdb).

    A spec is ``NAME VERSION [ARCH]``, for rpm ``NAME-[EPOCH:]VERSION-RELEASE.ARCH``. ``folder`` is where rpm's database is.
    """
    writers = {"dpkg": _dpkg, "apk": _apk, "pacman": _pacman, "rpm": _rpm, "rpm-bdb": _rpm_bdb}
    if manager not in writers:
        raise BuildError(f"unknown package manager {manager!r}")
    is_rpm = manager.startswith("rpm")
    writers[manager](tuple(map(_nevra if is_rpm else _words, specs)), tree / folder.lstrip("/") if is_rpm else tree)


def _words(spec: str) -> Package:
    name, version, *arch = spec.split()
    return Package(name, version, arch[0] if arch else "")


def _nevra(spec: str) -> Package:
    match = _NEVRA.fullmatch(spec)
    if match is None:
        raise BuildError(f"{spec!r} is not NAME-VERSION-RELEASE.ARCH")
    return Package(match["name"], match["version"], match["arch"], match["release"], int(match["epoch"] or 0))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _dpkg(packages: tuple[Package, ...], tree: Path) -> None:
    stanzas = (
        f"Package: {p.name}\nStatus: install ok installed\nPriority: optional\nSection: misc\nMaintainer: nobody <nobody@example.org>\n"
        f"Architecture: {p.arch or 'amd64'}\nVersion: {p.version}\nDescription: {p.name}\n"
        for p in packages
    )
    _write(tree / "var/lib/dpkg/status", "\n".join([*stanzas, ""]))


def _apk(packages: tuple[Package, ...], tree: Path) -> None:
    stanzas = (f"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{p.name}\nV:{p.version}\nA:{p.arch or 'x86_64'}\nT:{p.name}\n" for p in packages)
    _write(tree / "lib/apk/db/installed", "\n".join([*stanzas, ""]))


def _pacman(packages: tuple[Package, ...], tree: Path) -> None:
    for p in packages:
        text = f"%NAME%\n{p.name}\n\n%VERSION%\n{p.version}\n\n%BASE%\n{p.name}\n\n%DESC%\n{p.name}\n\n%ARCH%\n{p.arch or 'x86_64'}\n\n"
        _write(tree / f"var/lib/pacman/local/{p.name}-{p.version}/desc", text)
    _write(tree / "var/lib/pacman/local/ALPM_DB_VERSION", "9\n")


def _rpm(packages: tuple[Package, ...], folder: Path) -> None:
    path = folder / "rpmdb.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)")
        for index in _INDEXES:
            database.execute(f"CREATE TABLE '{index}' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)")
            for column in _COLUMNS.get(index, ("key", "hnum")):
                database.execute(f"CREATE INDEX '{index}_{column}_idx' ON '{index}'({column} ASC)")
        for number, package in enumerate(packages, 1):
            database.execute("INSERT INTO Packages VALUES (?, ?)", (number, rpm_header(package)))
            database.execute("INSERT INTO Name VALUES (?, ?, 0)", (package.name, number))
    database.close()


def _rpm_bdb(packages: tuple[Package, ...], folder: Path) -> None:
    path = folder / "Packages"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"]
    lines += [f" {bytes(4).hex()}", f" {struct.pack('<I', len(packages) + 1).hex()}"]
    for number, package in enumerate(packages, 1):
        lines += [f" {struct.pack('<I', number).hex()}", f" {rpm_header(package).hex()}"]
    run("db5.3_load", path, stdin="\n".join([*lines, "DATA=END", ""]))


def rpm_header(package: Package) -> bytes:
    """An rpm header blob as the database holds it: index and data, big-endian, without the magic."""
    values: list[tuple[int, str | int]] = [(_TAGS["name"], package.name), (_TAGS["version"], package.version)]
    values.append((_TAGS["release"], package.release))
    if package.epoch:
        values.append((_TAGS["epoch"], package.epoch))
    values += [(_TAGS["vendor"], "example.org"), (_TAGS["arch"], package.arch)]
    values.append((_TAGS["sourcerpm"], f"{package.name}-{package.version}-{package.release}.src.rpm"))
    index, data = b"", b""
    for tag, value in values:
        if isinstance(value, int):
            data += bytes(-len(data) % 4)
            index += struct.pack(">IIII", tag, _INT32, len(data), 1)
            data += struct.pack(">I", value)
        else:
            index += struct.pack(">IIII", tag, _STRING, len(data), 1)
            data += value.encode() + b"\0"
    return struct.pack(">II", len(values), len(data)) + index + data
