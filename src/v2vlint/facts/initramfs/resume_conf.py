"""The device that initramfs-tools resumes from (initramfs-tools(7), initramfs.conf(5)): ``RESUME=`` in ``/etc/initramfs-tools``.

A ``resume=`` on the kernel command line takes precedence. ``none`` disables resuming; ``auto`` lets the generator choose.
"""

from __future__ import annotations

from v2vlint.facts.initramfs.initramfs_tools import sourced
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token


@dataclass(frozen=True, slots=True)
class ResumeConf:
    """The effective value of ``RESUME``, from the last file in order; None when nothing sets it."""

    device: Token | None = None

    @property
    def names_device(self) -> bool:
        """Whether it names a device rather than being ``none``, ``auto`` or empty."""
        return self.device is not None and self.device.value not in ("", "none", "auto") and not self.is_computed

    @property
    def is_computed(self) -> bool:
        """Whether the shell fills in its value, as in ``UUID=$(blkid …)``."""
        return self.device is not None and not {"$", "`"}.isdisjoint(self.device.value)


@provides
def parse_resume_conf(fs: GuestFS) -> ResumeConf:
    """The last of the files that mkinitramfs sources decides."""
    return ResumeConf(conf_vars(fs.text(path) for path in sourced(fs)).last("RESUME"))
