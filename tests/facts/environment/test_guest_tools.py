"""What hypervisors and clouds left in the guest, and modules built on it."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.environment.guest_tools import GuestTools
from v2vlint.facts.kernel.dkms import Dkms, DkmsModule
from v2vlint.model.rule import Link

STATUS = "/var/lib/dpkg/status"


def _installed(*names: str) -> Files:
    return {STATUS: "".join(f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n" for name in names)}


@pytest.mark.parametrize(
    ("files", "families"),
    [
        (_installed("open-vm-tools", "open-vm-tools-desktop"), {"open-vm-tools"}),
        (_installed("qemu-guest-agent"), {"qemu"}),
        (_installed("virtualbox-guest-x11"), {"virtualbox"}),
        (_installed("walinuxagent", "google-guest-agent", "amazon-ssm-agent"), {"azure", "google", "amazon"}),
        (_installed("linux-cloud-tools-6.5.0-1010-azure"), {"hyperv"}),
        (_installed("xe-guest-utilities-xenstore"), {"xen"}),
        (_installed("open-vm-tools-dev-docs"), {"open-vm-tools"}),
        (_installed("vim", "libvirt-daemon", "virtualbox", "xen-utils-4.17"), set()),
        ({"/usr/bin/vmware-uninstall-tools.pl": ""}, {"vmware-tools"}),
        ({"/opt/VBoxGuestAdditions-7.0.6/uninstall.sh": ""}, {"virtualbox"}),
        ({"/usr/lib/parallels-tools/install": ""}, {"parallels"}),
        ({"/usr/sbin/waagent": ""}, {"azure"}),
    ],
)
def test_families(files: Files, families: set[str]) -> None:
    tools = fact(GuestTools, files)
    assert {tool.family for tool in tools.tools} == families
    assert all(tools.words(family) for family in families)


def test_packages_come_first_and_words_are_few() -> None:
    tools = fact(GuestTools, {**_installed("walinuxagent", "azure-vm-utils"), "/usr/sbin/waagent": "", "/usr/bin/waagent": ""})
    assert [tool.package for tool in tools.of("azure")] == [True, True, False, False]
    assert tools.words("azure") == "walinuxagent, azure-vm-utils, /usr/sbin/waagent and 1 more"


def test_services_that_run() -> None:
    files: Files = {
        "/usr/lib/systemd/systemd": "",
        "/etc/systemd/system/multi-user.target.wants/qemu-guest-agent.service": Link("/lib/systemd/system/qemu-guest-agent.service"),
    }
    assert fact(GuestTools, files).running == {"qemu"}


def test_dkms() -> None:
    folder = "/lib/modules/6.1.0-13-amd64"
    files: Files = {
        "/var/lib/dkms/nvidia/535/source": "",
        "/var/lib/dkms/mok.key": "",
        f"{folder}/updates/dkms/nvidia-drm.ko.xz": "",
        f"{folder}/updates/dkms/README": "",
        "/usr/lib/modules": Link("/lib/modules"),
    }
    found = fact(Dkms, files)
    assert found.sources == ("nvidia",)
    assert found.modules == (DkmsModule("nvidia_drm", "6.1.0-13-amd64", f"{folder}/updates/dkms/nvidia-drm.ko.xz"),)
    assert fact(Dkms, {}) == Dkms()
