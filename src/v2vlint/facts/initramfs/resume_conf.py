"""Which device initramfs-tools resumes from (initramfs-tools(7), initramfs.conf(5)): ``RESUME=`` in ``/etc/initramfs-tools``.

A ``resume=`` on the kernel command line wins over it. ``none`` switches resuming off; ``auto`` lets the generator choose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Token

MAIN = "/etc/initramfs-tools/initramfs.conf"
DROP_INS = "/etc/initramfs-tools/conf.d"
_IGNORED = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class ResumeConf:
    """The value of ``RESUME`` that counts: that of the last file in order; None when nothing sets it."""

    device: Token | None = None

    @property
    def names_device(self) -> bool:
        """Whether a device is named, not ``none``, ``auto`` or nothing."""
        return self.device is not None and self.device.value not in ("", "none", "auto")


@provides
def parse_resume_conf(fs: GuestFS) -> ResumeConf:
    """initramfs.conf, then the files of conf.d by name (those run-parts(8) would take)."""
    names = [
        name for name in fs.listdir(DROP_INS) if _IGNORED.fullmatch(name) and not name.endswith((".dpkg-old", ".dpkg-dist", ".dpkg-new"))
    ]
    return ResumeConf(conf_vars(fs.text(path) for path in (MAIN, *(f"{DROP_INS}/{name}" for name in names))).last("RESUME"))
