"""Text package databases: dpkg (deb-control(5)), apk, pacman, portage.

Typical input of dpkg's ``status``::

    Package: bash
    Status: install ok installed
    Architecture: amd64
    Version: 5.2.15-2+b2
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.packages.package import Package
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.place import WholeFile

DPKG, DPKG_PARTS = "/var/lib/dpkg/status", "/var/lib/dpkg/status.d"
APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
PACMAN = ("/var/lib/pacman/local", "/usr/lib/sysimage/lib/pacman/local")
PORTAGE = "/var/db/pkg"
MAX_DATABASE = 64 << 20
_FIELD = re.compile(r"^(Package|Status|Version|Architecture): *([^\r\n]*)", re.MULTILINE)
_APK_FIELD = re.compile(r"^([PVA]):([^\r\n]*)", re.MULTILINE)
_GONE = ("not-installed", "config-files", "half-installed")
_PACMAN = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)")
_PORTAGE = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.]*(?:-r\d+)?)")
_SAMPLED = ("glibc", "systemd", "bash", "pacman", "gcc-libs", "linux")
_ARCH = re.compile(r"%ARCH%\r?\n([^\r\n]*)")


def dpkg_packages(fs: GuestFS) -> list[Package] | None:
    """The packages dpkg has unpacked; those removed except for their configuration are left out. None without a database."""
    text = _big_text(fs, DPKG)
    # Distroless images have a file for each package there, and its checksums beside it.
    parts = [f"{DPKG_PARTS}/{name}" for name in fs.listdir(DPKG_PARTS) if not name.endswith(".md5sums")]
    if text is None and not parts:
        return None
    found = [] if text is None else list(_stanzas(text))
    for path in parts:
        part = fs.text(path)
        found.extend(_stanzas(part) if part else ())
    return found


def _big_text(fs: GuestFS, path: str) -> GuestText | None:
    data = fs.read(path, MAX_DATABASE)
    return None if data is None else GuestText(path, data.decode("utf-8", "surrogateescape"))


def _stanzas(text: GuestText) -> Iterator[Package]:
    fields: dict[str, re.Match[str]] = {}
    for match in _FIELD.finditer(text.content):
        if match[1] == "Package":
            yield from _dpkg(text, fields)
            fields = {}
        fields[match[1]] = match
    yield from _dpkg(text, fields)


def _dpkg(text: GuestText, fields: dict[str, re.Match[str]]) -> Iterator[Package]:
    status = fields["Status"][2].split() if "Status" in fields else []
    if "Package" in fields and not (status and status[-1] in _GONE):
        version, arch = (fields[key][2] if key in fields else "" for key in ("Version", "Architecture"))
        yield Package(fields["Package"][2], version, arch, text.span(*fields["Package"].span()))


def apk_packages(fs: GuestFS) -> list[Package] | None:
    """Alpine's ``installed``: records of one-letter fields, ``P`` for the name. None without a database."""
    text = next((text for path in APK if (text := _big_text(fs, path)) is not None), None)
    if text is None:
        return None
    found: list[Package] = []
    offset = 0
    for record in text.content.split("\n\n"):
        fields = {match[1]: match for match in _APK_FIELD.finditer(record)}
        if "P" in fields:
            name = fields["P"]
            values = [fields[key][2] if key in fields else "" for key in "VA"]
            found.append(Package(name[2], values[0], values[1], text.span(offset + name.start(), offset + name.end())))
        offset += len(record) + 2
    return found


def pacman_packages(fs: GuestFS) -> list[Package] | None:
    """pacman's local database: one folder ``NAME-VERSION-RELEASE`` per package. The architecture is read only for a few basic packages."""
    folder = next((folder for folder in PACMAN if fs.is_dir(folder)), None)
    if folder is None:
        return None
    matches = ((name, _PACMAN.fullmatch(name)) for name in fs.listdir(folder))
    return [_pacman(fs, f"{folder}/{name}", match) for name, match in matches if match]


def _pacman(fs: GuestFS, folder: str, match: re.Match[str]) -> Package:
    arch = ""
    if match["name"] in _SAMPLED or match["name"].startswith("linux-"):
        desc = fs.text(f"{folder}/desc")
        found = _ARCH.search(desc.content) if desc else None
        arch = found[1] if found else ""
    return Package(match["name"], match["version"], arch, WholeFile(f"{folder}/desc"))


def portage_packages(fs: GuestFS) -> list[Package] | None:
    """Portage's ``CATEGORY/NAME-VERSION`` folders; names are without the category. None without a database."""
    if not fs.is_dir(PORTAGE):
        return None
    found: list[Package] = []
    for category in fs.listdir(PORTAGE):
        for name in fs.listdir(f"{PORTAGE}/{category}"):
            match = _PORTAGE.fullmatch(name)
            if match:
                found.append(Package(match["name"], match["version"], "", WholeFile(f"{PORTAGE}/{category}/{name}")))
    return found
