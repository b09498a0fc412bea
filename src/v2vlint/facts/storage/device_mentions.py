"""Disk names in files used at boot or for monitoring: local scripts, systemd units, udev rules, cron tables, smartd, hdparm and the like.

Comments and patterns such as ``/dev/sd*`` do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_MENTIONS = 1000
MAX_FILES = 500

_PLACES: tuple[tuple[str, str], ...] = (
    ("script", "/etc/rc.local"), ("script", "/etc/rc.d/rc.local"), ("script", "/etc/init.d/*.local"), ("script", "/etc/local.d/*.start"),
    ("script", "/etc/rc.d/rc.sysinit.local"), ("script", "/etc/conf.d/local"),
    ("unit", "/etc/systemd/system/*.mount"), ("unit", "/etc/systemd/system/*.swap"), ("unit", "/etc/systemd/system/*.service"),
    ("unit", "/etc/systemd/system/*.d/*.conf"), ("udev", "/etc/udev/rules.d/*.rules"),
    ("cron", "/etc/crontab"), ("cron", "/etc/cron.d/*"), ("cron", "/var/spool/cron/crontabs/*"), ("cron", "/var/spool/cron/*"),
    ("smartd", "/etc/smartd.conf"), ("smartd", "/etc/smartmontools/smartd.conf"), ("smartd", "/etc/default/smartmontools"),
    ("hdparm", "/etc/hdparm.conf"), ("hdparm", "/etc/conf.d/hdparm"), ("raw devices", "/etc/sysconfig/rawdevices"),
    ("DRBD", "/etc/drbd.d/*.res"), ("DRBD", "/etc/drbd.conf"), ("autofs", "/etc/auto.*"), ("kdump", "/etc/kdump.conf"),
    ("ASM", "/etc/sysconfig/oracleasm"), ("storage setup", "/etc/sysconfig/docker-storage-setup"),
)  # fmt: skip
# A wildcard or variable right behind the name makes it a pattern, which the lookahead at the end excludes.
_DEVICE = re.compile(
    r"(?<![\w.-])/dev/(?:(?:hd|sd|vd|xvd)[a-z]{1,2}\d*|nvme\d+n\d+(?:p\d+)?|mmcblk\d+(?:p\d+)?|(?:cciss|ida)/c\d+d\d+(?:p\d+)?"
    r"|disk/by-(?:path|id)/(?!dm-|lvm-|md-)[\w:.+@-]+)(?![\w*?\[{$/])"
)
_UDEV_KERNEL = re.compile(r'\bKERNELS?=="((?:hd|sd|vd|xvd)[a-z]{1,2}\d*|nvme\d+n\d+(?:p\d+)?)"')
_UDEV_IDENTITY = re.compile(
    r'\b(?:ENV\{)?(ID_SERIAL(?:_SHORT)?|ID_WWN(?:_WITH_EXTENSION)?|ID_PATH|DM_UUID|ID_SCSI_SERIAL)\}?=="([^"*?\[]+)"'
)
# The serial numbers of USB devices or network cards are in the same variables.
_OTHER_SUBSYSTEM = re.compile(r'\bSUBSYSTEMS?=="(?!block|scsi)|\bID_CDROM\b')
# PROGRAM=="scsi_id …", RESULT=="…": how disks of Oracle ASM were named.
_UDEV_SCSI_ID = re.compile(r'\bRESULT=="([^"*?\[]{8,})"')
_COMMENT = re.compile(r"\s#.*$")
_KEY = re.compile(r"\s*(\w+)\s*=")


@dataclass(frozen=True, slots=True)
class DeviceMention:
    """A disk name in a file. ``kind`` is the type of file, ``key`` the setting in a unit (``What``).

    ``name`` is a /dev path (``how`` is ``path``); in udev rules it may be a bare kernel name (``kernel``), or a serial number or WWN
    (``identity``).
    """

    kind: str
    name: Token
    where: Span
    key: str = ""
    how: str = "path"

    @property
    def device(self) -> str:
        """The name as a /dev path, if it is one."""
        return f"/dev/{self.name.value}" if self.how == "kernel" else self.name.value


@dataclass(frozen=True, slots=True)
class DeviceMentions:
    """All mentions in file order."""

    mentions: tuple[DeviceMention, ...] = ()


@provides
def find_device_mentions(fs: GuestFS) -> DeviceMentions:
    """Disk names in the guest's own files below /etc and its cron tables. Links are skipped: they lead to a vendor's file."""
    seen: set[str] = set()
    found: list[DeviceMention] = []
    for kind, pattern in _PLACES:
        for path in fs.glob(pattern):
            resolved = fs.resolve(path)
            if fs.readlink(path) is None and resolved and resolved not in seen and fs.is_file(path) and len(seen) < MAX_FILES:
                seen.add(resolved)
                found.extend(_in_file(fs, kind, path))
    return DeviceMentions(tuple(found[:MAX_MENTIONS]))


def _in_file(fs: GuestFS, kind: str, path: str) -> Iterator[DeviceMention]:
    text = fs.text(path)
    for line in text.lines() if text else ():
        if line.is_blank("#;" if kind == "unit" else "#"):
            continue
        # In udev rules a comment is a whole line.
        comment = _COMMENT.search(line.text) if kind != "udev" else None
        end = comment.start() if comment else len(line.text)
        yield from _in_line(kind, line, end)


def _in_line(kind: str, line: Line, end: int) -> Iterator[DeviceMention]:
    key = _KEY.match(line.text) if kind == "unit" else None
    for match in _DEVICE.finditer(line.text, 0, end):
        yield DeviceMention(kind, line.group(match), line.where, key[1] if key else "")
    if kind != "udev":
        return
    for match in _UDEV_KERNEL.finditer(line.text):
        yield DeviceMention(kind, line.group(match, 1), line.where, how="kernel")
    if _OTHER_SUBSYSTEM.search(line.text):
        return
    for match in _UDEV_IDENTITY.finditer(line.text):
        yield DeviceMention(kind, line.group(match, 2), line.where, match[1], "identity")
    if "scsi_id" in line.text:
        for match in _UDEV_SCSI_ID.finditer(line.text):
            yield DeviceMention(kind, line.group(match, 1), line.where, "RESULT", "identity")
