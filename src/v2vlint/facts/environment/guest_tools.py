"""Software that belongs to one hypervisor or cloud: guest additions, agents, and what their installers leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.environment.services import Services
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Where, WholeFile

_PACKAGES = {
    "vmware-tools": ("VMwareTools", "vmware-tools-*", "kmod-vmware-tools*"),
    "open-vm-tools": ("open-vm-tools", "open-vm-tools-*"),
    "virtualbox": ("virtualbox-guest-*", "kmod-virtualbox-guest*", "virtualbox-kmp-*"),
    "hyperv": ("hyperv-daemons", "hypervkvpd", "hypervvssd", "hypervfcopyd", "hyperv-tools", "linux-cloud-tools-*", "hv-kvp-daemon-init"),
    "xen": ("xe-guest-utilities*", "xen-guest-agent", "xenserver-*-guest*"),
    "parallels": ("parallels-tools*", "prl-guest-tools*"),
    "qemu": ("qemu-guest-agent", "qemu-ga", "spice-vdagent"),
    "azure": ("walinuxagent", "WALinuxAgent", "python-azure-agent", "azure-vm-utils"),
    "google": ("google-guest-agent", "google-compute-engine*", "google-osconfig-agent", "gce-compute-image-packages"),
    "amazon": ("amazon-ssm-agent", "ec2-net-utils", "amazon-ec2-net-utils", "ec2-instance-connect", "aws-cfn-bootstrap"),
    "ovirt": ("ovirt-guest-agent*", "rhevm-guest-agent*"),
}
_PATHS = {
    "vmware-tools": ("/usr/bin/vmware-uninstall-tools.pl", "/etc/vmware-tools/locations"),
    "virtualbox": ("/var/lib/VBoxGuestAdditions/config",),
    "parallels": ("/usr/lib/parallels-tools/install",),
    "xen": ("/usr/sbin/xe-daemon",),
    "azure": ("/usr/sbin/waagent", "/usr/bin/waagent"),
    "amazon": ("/snap/amazon-ssm-agent/current",),
    "qemu": ("/usr/bin/qemu-ga", "/usr/sbin/qemu-ga"),
}
_GLOBS = {"virtualbox": "/opt/VBoxGuestAdditions-*"}
_SERVICES = {
    "vmware-tools": ("vmware-tools",), "open-vm-tools": ("vmtoolsd", "open-vm-tools"), "virtualbox": ("vboxadd", "vboxadd-service"),
    "hyperv": ("hypervkvpd", "hv-kvp-daemon", "hv_kvp_daemon"), "xen": ("xe-linux-distribution", "xe-daemon", "xen-guest-agent"),
    "parallels": ("prltoolsd",), "qemu": ("qemu-guest-agent", "qemu-ga"), "azure": ("waagent", "walinuxagent"),
    "google": ("google-guest-agent", "google-startup-scripts"), "amazon": ("amazon-ssm-agent",), "ovirt": ("ovirt-guest-agent",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GuestTool:
    """One piece of evidence. ``family`` is ``vmware-tools``, ``open-vm-tools``, ``virtualbox``, ``hyperv``, ``xen``, ``parallels``,
    ``qemu``, ``azure``, ``google``, ``amazon`` or ``ovirt``; ``name`` the package or file; ``package`` tells which of the two."""

    family: str
    name: str
    where: Where
    package: bool


@dataclass(frozen=True, slots=True)
class GuestTools:
    """Everything found. ``running`` are the families one of whose services starts at boot."""

    tools: tuple[GuestTool, ...] = ()
    running: frozenset[str] = frozenset()

    def of(self, *families: str) -> tuple[GuestTool, ...]:
        """The evidence of some families, packages first."""
        return tuple(sorted((tool for tool in self.tools if tool.family in families), key=lambda tool: not tool.package))

    def words(self, *families: str) -> str:
        """The names of the evidence, at most three."""
        names = [tool.name for tool in self.of(*families)]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@provides
def find_guest_tools(fs: GuestFS, packages: Packages, services: Services) -> GuestTools:
    """By package, by file, by service link."""
    running = frozenset(family for family, names in _SERVICES.items() if services.starts(*names))
    return GuestTools((*_packaged(packages), *_unpackaged(fs)), running)


def _packaged(packages: Packages) -> Iterator[GuestTool]:
    for family, patterns in _PACKAGES.items():
        for package in packages.matching(*patterns):
            yield GuestTool(family, package.name, package.where, True)


def _unpackaged(fs: GuestFS) -> Iterator[GuestTool]:
    for family, paths in _PATHS.items():
        yield from (GuestTool(family, path, WholeFile(path), False) for path in paths if fs.exists(path))
    for family, pattern in _GLOBS.items():
        yield from (GuestTool(family, path, WholeFile(path), False) for path in fs.glob(pattern))
