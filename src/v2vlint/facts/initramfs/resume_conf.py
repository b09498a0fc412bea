"""The device that initramfs-tools resumes from (initramfs-tools(7), initramfs.conf(5)): ``RESUME=`` in ``/etc/initramfs-tools``.

A ``resume=`` on the kernel command line takes precedence. ``none`` disables resuming; ``auto`` lets the generator choose.
"""

from __future__ import annotations

from v2vlint.facts.initramfs.initramfs_tools import sourced_settings
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Token, Where


@dataclass(frozen=True, slots=True)
class ResumeConf:
    """The effective value of ``RESUME``; None when nothing sets it.

    ``at`` is the value as one editable token, None when it is composed of pieces. ``untold`` says where and why the value is not known.
    """

    device: Token | None = None
    at: Token | None = None
    untold: tuple[Where, str] | None = None

    @property
    def names_device(self) -> bool:
        """Whether it names a device rather than being ``none``, ``auto`` or empty."""
        return self.device is not None and self.device.value not in ("", "none", "auto")

    def replace(self, value: str) -> tuple[ReplaceText, ...]:
        """The edit that gives it another value; none when it cannot be edited."""
        return (ReplaceText(self.at.where, self.at.value, value),) if self.at else ()


@provides
def parse_resume_conf(fs: GuestFS) -> ResumeConf:
    """What mkinitramfs has after sourcing its files."""
    settings = sourced_settings(fs)
    try:
        device = settings.last("RESUME")
    except FactUnavailable as reason:
        return ResumeConf(untold=(reason.where, reason.reason))
    return ResumeConf(device, settings.literal("RESUME"))
