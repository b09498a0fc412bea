"""Where the next update will install GRUB: Debian's debconf answer, SUSE's ``grub_installdevice``, Red Hat's ``boot=``."""

from __future__ import annotations

import re

from v2vlint.facts.boot.grub.default import GrubDefaults
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

DEBCONF = "/var/cache/debconf/config.dat"
SUSE = "/etc/default/grub_installdevice"
_ANSWER = re.compile(r"^Name: grub-pc/install_devices\n(?:(?!\n)[^\n]*\n)*?Value: *([^\n]+)$", re.MULTILINE)
_NAME = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class GrubInstall:
    """The disks named, with their places."""

    devices: tuple[Token, ...] = ()


@provides
def find_grub_install(fs: GuestFS, defaults: GrubDefaults) -> GrubInstall:
    """All places that name a disk to install GRUB on. Missing files count as empty."""
    found: list[Token] = []
    if (text := fs.text(DEBCONF)) and (match := _ANSWER.search(text.content)):
        found.extend(_names(text, match.start(1), match.end(1)))
    if text := fs.text(SUSE):
        for line in text.lines():
            if not line.is_blank():
                found.extend(_names(text, line.start, line.start + len(line.text)))
    boot = defaults.get("boot")
    if boot and boot.value_at:
        found.append(boot.value_at)
    return GrubInstall(tuple(token for token in found if token.value.startswith("/dev/")))


def _names(text: GuestText, start: int, end: int) -> list[Token]:
    return [text.group(match) for match in _NAME.finditer(text.content, start, end)]
