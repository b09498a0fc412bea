"""The version of the guest's systemd-udev and systemd-networkd."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo

_LIBRARIES = ("/usr/lib/systemd/libsystemd-shared-*.so", "/lib/systemd/libsystemd-shared-*.so", "/usr/lib/*/systemd/libsystemd-shared-*.so")
_LIBRARY = re.compile(r"libsystemd-shared-(\d{3})(?!\d)")
# Package versions by release; for Debian and Ubuntu: packages.debian.org, packages.ubuntu.com.
_RELEASES = {
    ("rhel", 7): 219, ("rhel", 8): 239, ("rhel", 9): 252, ("rhel", 10): 257,
    ("debian", 8): 215, ("debian", 9): 232, ("debian", 10): 241, ("debian", 11): 247, ("debian", 12): 252, ("debian", 13): 257,
    ("ubuntu", 14): 204, ("ubuntu", 15): 219, ("ubuntu", 16): 229, ("ubuntu", 18): 237, ("ubuntu", 20): 245, ("ubuntu", 22): 249,
    ("ubuntu", 24): 255,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class UdevVersion:
    """The version of systemd's udev; 0 when it is not known or not systemd's."""

    number: int = 0


@provides
def parse_udev_version(fs: GuestFS, os: OsInfo) -> UdevVersion:
    """Read it from the name of systemd's own library, or if that has no version, derive it from the distribution's release."""
    for pattern in _LIBRARIES:
        for path in fs.glob(pattern):
            if match := _LIBRARY.search(path):
                return UdevVersion(int(match[1]))
    plain_rhel = os.family == "rhel" and os.distro not in ("fedora", "amzn", "amazon")
    return UdevVersion(_RELEASES.get(("rhel" if plain_rhel else os.distro, os.major), 0))
