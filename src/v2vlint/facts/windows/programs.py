"""Programs installed in Windows (the ``Uninstall`` keys, also those of 32-bit programs), and what of them belongs to a hypervisor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import RegistryNode, SoftwareHive, subkeys
from v2vlint.facts.windows.services import DISABLED, WindowsService, WindowsServices
from v2vlint.model.place import RegistryKey

_UNINSTALL = ("Microsoft\\Windows\\CurrentVersion\\Uninstall", "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall")
_ANTIVIRUS = re.compile(
    r"virus|kaspersky|mcafee|trellix|norton|symantec endpoint|sophos|apex ?one|trend micro|bitdefender|crowdstrike|sentinelone|eset |avast|"
    r"avg technologies",
    re.IGNORECASE,
)
_TOOLS = {
    "vmware": re.compile(r"VMware Tools", re.IGNORECASE),
    "virtualbox": re.compile(r"VirtualBox Guest Additions", re.IGNORECASE),
    "xen": re.compile(r"Xen(Server)? (VM )?Tools|XenServer|Citrix.*Tools|Paravirtualized Xen|Xen PV|AWS PV Drivers|XCP-ng", re.IGNORECASE),
    "hyperv": re.compile(r"Hyper-V (Integration (Services|Components)|Guest Components)", re.IGNORECASE),
    "parallels": re.compile(r"(Parallels|Virtuozzo) (Guest )?Tools", re.IGNORECASE),
}
_SERVICES = {
    "vmware": (
        "VMTools", "VGAuthService", "vm3dservice", "vmvss", "GISvc", "vmci", "vsock", "vmmemctl", "vmhgfs", "vmmouse", "vmusbmouse",
        "vmrawdsk", "vmxnet3ndis6",
        "vmxnet3", "vm3dmp", "vm3dmp_loader", "vm3dmp-stats", "vm3dmp-debug", "vnetWFP", "vnetflt", "vsepflt", "vmaudio",
        "vmx_svga", "vmkbd", "efifw",
    ),
    "virtualbox": ("VBoxGuest", "VBoxMouse", "VBoxService", "VBoxSF", "VBoxVideo", "VBoxWddm"),
    "xen": (
        "xenbus", "xenvbd", "xenfilt", "xennet", "xenvif", "xeniface", "xenagent", "xensvc", "xenevtchn", "xenpci", "rhelscsi", "rhelnet",
        "xenlite", "xeninstall",
    ),
    "hyperv": (),
    "parallels": (
        "prl_boot", "prl_dd", "prl_eth5", "prl_fs", "prl_memdev", "prl_mouf", "prl_pv32", "prl_pv64", "prl_scsi", "prl_sound", "prl_strg",
        "prl_tg", "prl_time", "prl_uprof", "prl_va",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WindowsProgram:
    """An installed program: ``name`` is what the list of programs shows, ``key`` what Windows calls it (often a product's GUID)."""

    name: str
    version: str
    publisher: str
    where: RegistryKey
    folder: str = ""
    url: str = ""
    comments: str = ""

    @property
    def key(self) -> str:
        """Its key below ``Uninstall``."""
        return self.where.key.rsplit("\\", 1)[-1]

    @property
    def guards(self) -> bool:
        """Whether it guards against viruses."""
        return _ANTIVIRUS.search(f"{self.key}\n{self.name}\n{self.publisher}") is not None

    @property
    def title(self) -> str:
        """Name and version, unless the name says the version."""
        head = ".".join(self.version.split(".")[:2])
        return self.name if not head or head in self.name else f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class WindowsTools:
    """What one hypervisor left: ``programs`` and ``services`` that are not disabled."""

    programs: tuple[WindowsProgram, ...]
    services: tuple[WindowsService, ...]

    @property
    def early(self) -> tuple[WindowsService, ...]:
        """The drivers that the boot loader or the kernel starts."""
        return tuple(service for service in self.services if service.is_driver and service.starts_early)

    @property
    def where(self) -> RegistryKey | None:
        """The first place to show; None when nothing is left."""
        places = [one.where for one in self.programs] + [one.where for one in self.services]
        return next(iter(places), None)

    @property
    def words(self) -> str:
        """The programs and services by name."""
        programs = ", ".join(one.title for one in self.programs)
        names = [one.name for one in self.services]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        return "; ".join(part for part in (programs, f"services {shown}" if names else "") if part)


@dataclass(frozen=True, slots=True)
class WindowsPrograms:
    """All programs; those that guard against viruses; the tools by hypervisor: ``vmware``, ``virtualbox``, ``xen``, ``hyperv``…"""

    programs: tuple[WindowsProgram, ...]
    antivirus: tuple[WindowsProgram, ...]
    tools: tuple[tuple[str, WindowsTools], ...]

    def left_by(self, hypervisor: str) -> WindowsTools:
        """The tools of one hypervisor, maybe nothing."""
        return dict(self.tools).get(hypervisor, WindowsTools((), ()))


@dataclass(frozen=True, slots=True)
class InstalledPrograms:
    """The programs that the hive SOFTWARE lists under a name, 64-bit ones (or those of a 32-bit Windows) first."""

    programs: tuple[WindowsProgram, ...]


@provides
def list_programs(software: SoftwareHive) -> InstalledPrograms:
    """Read the list of programs; empty without the hive."""
    return InstalledPrograms(tuple(_installed(software.top)) if software.top else ())


@provides
def parse_programs(installed: InstalledPrograms, services: WindowsServices) -> WindowsPrograms:
    """Sort the programs, and look up the services of each hypervisor's tools."""
    programs = installed.programs
    guards = tuple(one for one in programs if one.guards)
    return WindowsPrograms(programs, guards, tuple((kind, _tools(kind, programs, services)) for kind in _TOOLS))


def _installed(software: RegistryNode) -> Iterator[WindowsProgram]:
    for path in _UNINSTALL:
        for key in subkeys(software.key(path)):
            values = {value.name.lower(): value.text.strip() for value in key.values()}
            if shown := values.get("displayname"):
                yield WindowsProgram(
                    shown,
                    values.get("displayversion", ""),
                    values.get("publisher", ""),
                    key.where,
                    values.get("installlocation", ""),
                    values.get("urlinfoabout", ""),
                    values.get("comments", ""),
                )


def _tools(kind: str, programs: tuple[WindowsProgram, ...], services: WindowsServices) -> WindowsTools:
    mine = tuple(one for one in programs if _TOOLS[kind].search(one.name))
    return WindowsTools(mine, tuple(one for one in services.named(*_SERVICES[kind]) if one.effective != DISABLED))
