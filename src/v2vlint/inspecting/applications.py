"""Installed software, with everything that package databases say about it: dpkg, RPM, apk, pacman, portage. Packages are not opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from v2vlint.facts.packages.text_databases import APK, DPKG, DPKG_PARTS, MAX_DATABASE, PACMAN, PORTAGE
from v2vlint.guest.fs import GuestFS
from v2vlint.inspecting.rpm import rpm_applications
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import Application
from v2vlint.model.report import Problem

MAX_APPLICATIONS = 100_000
MAX_DESCRIPTION = 16 << 10
_FIELD = re.compile(r"([A-Za-z][\w-]*):[ \t]*(.*)")
# dpkg keeps a package in its list when its files are gone (dpkg(1), "Package states").
_GONE = frozenset({"not-installed", "config-files", "half-installed"})
_PORTAGE = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.]*?)(?:-(?P<release>r\d+))?")
_SECTION = re.compile(r"%([A-Z]+)%")


def applications(fs: GuestFS) -> tuple[tuple[Application, ...], tuple[Problem, ...]]:
    """Everything listed in any package database, by name, and the databases that could not be read."""
    found: list[Application] = []
    problems: list[Problem] = []
    for read in (_dpkg, rpm_applications, _apk, _pacman, _portage):
        try:
            found.extend(_some(read, fs))
        except FactUnavailable as reason:
            problems.append(Problem(str(reason.where), reason.reason))
    return tuple(sorted(found, key=lambda one: one.name)), tuple(problems)


def _some(read: Callable[[GuestFS], Iterable[Application]], fs: GuestFS) -> Iterator[Application]:
    for number, one in enumerate(read(fs)):
        if number >= MAX_APPLICATIONS:
            return
        yield one


def _text(fs: GuestFS, path: str) -> str:
    return (fs.read(path, MAX_DATABASE) or b"").decode("utf-8", "replace")


def _dpkg(fs: GuestFS) -> Iterator[Application]:
    # Distroless images have a file for each package, and its .md5sums beside it.
    parts = (f"{DPKG_PARTS}/{name}" for name in fs.listdir(DPKG_PARTS) if not name.endswith(".md5sums"))
    for path in (DPKG, *parts):
        for stanza in re.split(r"\n[ \t]*\n", _text(fs, path)):
            fields = _stanza(stanza)
            status = fields.get("Status", "").split()
            if "Package" in fields and not (status and status[-1] in _GONE):
                yield _deb(fields)


def _stanza(text: str) -> dict[str, str]:
    """The fields of a control file; continuation lines stay separate lines, without their leading space (deb-control(5))."""
    fields: dict[str, str] = {}
    key = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            fields[key] = f"{fields.get(key, '')}\n{line[1:]}" if key == "Description" else fields.get(key, "")
        elif match := _FIELD.match(line):
            key = match[1]
            fields[key] = match[2].rstrip("\r")
    return fields


def _deb(fields: dict[str, str]) -> Application:
    epoch, version, release = split_version(fields.get("Version", "").strip())
    summary, _, description = fields.get("Description", "").partition("\n")
    return Application(
        name=fields["Package"].strip(),
        version=version,
        release=release,
        epoch=epoch,
        arch=fields.get("Architecture", ""),
        url=fields.get("Homepage", ""),
        source=fields.get("Source", "").split(" ")[0],
        publisher=fields.get("Maintainer", ""),
        summary=summary,
        description=description[:MAX_DESCRIPTION],
    )


def split_version(text: str) -> tuple[int, str, str]:
    """``1:2.06-13+deb12u1`` → (1, ``2.06``, ``13+deb12u1``), as libguestfs does: at the first dash."""
    epoch, colon, rest = text.partition(":")
    number = int(epoch) if colon and epoch.isdecimal() and len(epoch) < 10 else 0
    version, _, release = (rest if colon else text).partition("-")
    return number, version, release


def _apk(fs: GuestFS) -> Iterator[Application]:
    text = next((text for path in APK if (text := _text(fs, path))), "")
    for record in text.split("\n\n"):
        # Letters of apk's installed database: P name, V version, A architecture, U address, o origin, m maintainer, T description.
        fields = {line[0]: line[2:].strip() for line in record.split("\n") if line[1:2] == ":"}
        if "P" in fields:
            epoch, version, release = split_version(fields.get("V", ""))
            yield Application(
                name=fields["P"],
                version=version,
                release=release.removeprefix("r"),
                epoch=epoch,
                arch=fields.get("A", ""),
                url=fields.get("U", ""),
                source=fields.get("o", ""),
                publisher=fields.get("m", ""),
                description=fields.get("T", "")[:MAX_DESCRIPTION],
            )


def _pacman(fs: GuestFS) -> Iterator[Application]:
    folder = next((folder for folder in PACMAN if fs.is_dir(folder)), "")
    for name in fs.listdir(folder) if folder else ():
        try:
            text = _text(fs, f"{folder}/{name}/desc")
        except FactUnavailable:
            # One damaged entry does not hide the others.
            continue
        if fields := _sections(text):
            epoch, version, release = split_version(fields.get("VERSION", ""))
            yield Application(
                name=fields.get("NAME", name),
                version=version,
                release=release,
                epoch=epoch,
                arch=fields.get("ARCH", ""),
                url=fields.get("URL", ""),
                source=fields.get("BASE", ""),
                publisher=fields.get("PACKAGER", ""),
                description=fields.get("DESC", "")[:MAX_DESCRIPTION],
            )


def _sections(text: str) -> dict[str, str]:
    """The first line under each ``%NAME%`` of a pacman description."""
    lines = text.split("\n")
    pairs = ((_SECTION.fullmatch(line.strip()), after) for line, after in pairwise(lines))
    return {match[1]: after.strip() for match, after in pairs if match}


def _portage(fs: GuestFS) -> Iterator[Application]:
    for category in fs.listdir(PORTAGE):
        for name in fs.listdir(f"{PORTAGE}/{category}"):
            if match := _PORTAGE.fullmatch(name):
                summary = (fs.head(f"{PORTAGE}/{category}/{name}/DESCRIPTION", 1024) or b"").decode("utf-8", "replace").strip()
                yield Application(match["name"], match["version"], match["release"] or "", source=f"{category}/{match['name']}",
                                  summary=summary)  # fmt: skip
