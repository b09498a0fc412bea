"""The release files that exist besides os-release(5): their order of precedence, and how each is parsed.

Order and patterns are those of libguestfs's ``daemon/inspect_fs_unix.ml``; distributions are identified by the ID that their os-release
has or would have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.small import first_line, is_file, key_values, small
from v2vlint.guest.text import split_lines
from v2vlint.model.dataclass import dataclass

_VERSION = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?")
_DOTTED = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}")
_NEOKYLIN = re.compile(r"V(\d{1,9})Update(\d{1,9})")
LSB = {"CoreOS": "coreos", "LinuxMint": "linuxmint", "Mageia": "mageia", "Ubuntu": "ubuntu"}
"""``DISTRIB_ID`` as libguestfs knows it."""


@dataclass(slots=True)
class Naming:
    """The result of parsing release files so far: an ID, the product's name, the version (``5.11``).

    A parser that fails leaves its partial results in place.
    """

    distro: str = ""
    product: str = ""
    version: str = ""


Parser = Callable[[GuestFS, str, Naming], bool]


def read_release_files(fs: GuestFS, naming: Naming, files: tuple[tuple[str, Parser], ...]) -> bool:
    """Fill ``naming`` from the first of ``files`` that exists and whose parser succeeds; returns whether one did."""
    return any(is_file(fs, path) and parse(fs, path, naming) for path, parse in files)


def numbers(version: str) -> tuple[int, int]:
    """Major and minor of a version: ``12.5`` → (12, 5), ``v3.19`` → (3, 19), ``tumbleweed`` → (0, 0)."""
    match = _NEOKYLIN.fullmatch(version) or _VERSION.search(version)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def lsb_release(fs: GuestFS, path: str, naming: Naming) -> bool:
    """``/etc/lsb-release`` as libguestfs reads it: a file with only the LSB version is ignored."""
    values = key_values(fs, path)
    naming.distro = LSB.get(values.get("DISTRIB_ID", ""), naming.distro)
    if _VERSION.search(values.get("DISTRIB_RELEASE", "")):
        naming.version = values["DISTRIB_RELEASE"]
    naming.product = values.get("DISTRIB_DESCRIPTION", naming.product)
    return values.get("DISTRIB_ID", "") in LSB or "DISTRIB_DESCRIPTION" in values


def one_line(distro: str, pattern: str = "") -> Parser:
    """A one-line release file; without a pattern any line matches, and its first numbers are the version."""
    compiled = re.compile(pattern or _VERSION.pattern)

    def parse(fs: GuestFS, path: str, naming: Naming) -> bool:
        line = first_line(fs, path)
        if not line:
            return False
        naming.product, naming.distro = line, distro
        match = compiled.search(line)
        if match is None:
            return not pattern
        if match.groups():
            naming.version = _version(line, match)
        return True

    return parse


def _version(line: str, match: re.Match[str]) -> str:
    """The complete version: ``7.1.1503``; ``4.8`` for ``release 4 (Nahant Update 8)``."""
    found = _DOTTED.match(line, match.start(1))
    dotted = found[0] if found else match[1]
    apart = match.re.groups > 1 and match[2] is not None and match.start(2) != match.end(1) + 1
    return f"{match[1]}.{match[2]}" if apart else dotted


def fixed(distro: str) -> Parser:
    """A file whose presence alone identifies the system."""

    def parse(_fs: GuestFS, _path: str, naming: Naming) -> bool:
        naming.distro = distro
        return True

    return parse


def _suse_release(fs: GuestFS, path: str, naming: Naming) -> bool:
    lines = split_lines(small(fs, path))
    if not lines:
        return False
    naming.product = lines[0]
    if re.match(r"SUSE (?:Linux|LINUX) Enterprise |Novell Linux Desktop ", lines[0]):
        naming.distro = "sles"
        stated = [re.match(rf"{key} = (\d{{1,9}})", line) for key, line in zip(("VERSION", "PATCHLEVEL"), lines[1:], strict=False)]
        if stated and stated[0]:
            service_pack = stated[1] if len(stated) > 1 else None
            naming.version = stated[0][1] + (f".{service_pack[1]}" if service_pack else "")
    elif re.match(r"(?:openSUSE|SuSE Linux|SUSE LINUX) ", lines[0]):
        naming.distro = "opensuse"
        match = _DOTTED.search(lines[1] if len(lines) > 1 else "")
        naming.version = match[0] if match else naming.version
    return True


def _br_version(fs: GuestFS, path: str, naming: Naming) -> bool:
    return one_line("cirros" if is_file(fs, "/usr/share/cirros/logo") else "buildroot")(fs, path, naming)


def enterprise(name: str, distro: str) -> tuple[Parser, ...]:
    """Release files in Red Hat's style, for a distribution that calls itself ``name``."""
    patterns = (rf"{name}.*release (\d{{1,9}}).*Update (\d{{1,9}})", rf"{name}.*release (\d{{1,9}})\.(\d{{1,9}})",
                rf"{name}.*release (\d{{1,9}})")  # fmt: skip
    return tuple(one_line(distro, pattern) for pattern in patterns)


def _tests() -> Iterator[tuple[str, Parser]]:
    yield "/etc/openmandriva-release", one_line("openmandriva", r"OpenMandriva.*release (\d+)\.(\d+)")
    yield "/etc/opencloudos-release", one_line("opencloudos", r"OpenCloudOS.*release (\d+)")
    yield "/etc/tencentos-release", one_line("tencentos", r"TencentOS.* (\d+)\.(\d+)")
    own = (("oracle", "Oracle Linux", "ol"), ("centos", "CentOS", "centos"), ("circle", "Circle Linux", "circle"),
           ("rocky", "Rocky Linux", "rocky"))  # fmt: skip
    for file, name, distro in own:
        yield from ((f"/etc/{file}-release", parse) for parse in enterprise(name, distro))
    yield "/etc/altlinux-release", one_line("altlinux")
    yield "/etc/redhat-release", one_line("fedora", r"Fedora release (\d+)")
    shared = (("Red Hat", "rhel"), ("CentOS", "centos"), ("Circle Linux", "circle"), ("Rocky Linux", "rocky"),
              ("Scientific Linux", "scientific"))  # fmt: skip
    for name, distro in shared:
        yield from (("/etc/redhat-release", parse) for parse in enterprise(name, distro))
    yield from (("/etc/redhat-release", one_line("redhat")), ("/etc/redhat-release", fixed("redhat")))
    yield from (("/etc/debian_version", one_line("debian")), ("/etc/pardus-release", one_line("pardus")))
    yield from (("/etc/arch-release", fixed("arch")), ("/etc/gentoo-release", one_line("gentoo")))
    yield from (("/etc/meego-release", one_line("meego")), ("/etc/slackware-version", one_line("slackware")))
    yield from (("/etc/ttylinux-target", one_line("ttylinux")), ("/etc/SuSE-release", _suse_release))
    yield from (("/etc/SuSE-release", fixed("suse")), ("/etc/cirros/version", one_line("cirros")))
    yield from (("/etc/br-version", _br_version), ("/etc/alpine-release", one_line("alpine")))
    yield "/etc/frugalware-release", one_line("frugalware", r"Frugalware (\d+)\.(\d+)")
    yield "/etc/pld-release", one_line("pld", r"(\d+)\.(\d+) PLD Linux")


RELEASE_FILES = tuple(_tests())
"""Release files in libguestfs's order, each with its parser; the first that succeeds ends the search."""
