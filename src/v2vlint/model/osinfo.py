"""The operating system of a root."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class OsInfo:
    """An operating system.

    ``kind`` is ``linux``, ``windows`` or ``other``. ``family`` is ``debian``, ``rhel``, ``suse``, ``arch``, ``alpine``, ``gentoo``,
    ``windows`` or another ID. ``arch`` is ``x86_64``, ``i386``, ``aarch64`` or empty; ``version`` is the distribution's, possibly empty.
    ``system_root`` is the Windows folder (unused for other systems).
    """

    kind: str
    distro: str
    family: str
    name: str
    version: str = ""
    arch: str = ""
    hostname: str = ""
    system_root: str = "/Windows"

    @property
    def major(self) -> int:
        """The leading number of ``version``; 0 for rolling releases."""
        head = self.version.split(".")[0]
        return int(head) if head.isdigit() else 0
