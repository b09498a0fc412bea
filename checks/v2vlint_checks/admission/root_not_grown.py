"""Rule root-not-grown."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, Fstab, GuestFS, NotApplicable, Packages, Rule, Severity, Target, WholeFile

_STATUS = "/var/lib/dpkg/status"
_BASH = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n"
_GROWERS = (
    "/usr/bin/growpart", "/usr/sbin/growpart", "/usr/bin/systemd-repart", "/usr/lib/repart.d/*.conf", "/etc/repart.d/*.conf",
    "/usr/share/initramfs-tools/scripts/local-bottom/growroot", "/usr/lib/dracut/modules.d/*growroot*", "/usr/bin/ignition",
)  # fmt: skip


class RootNotGrown(Rule):
    """No program in the image grows the root filesystem to the size of the disk.

    ## What it does
    Looks for growpart, systemd-repart and their relatives where the target's profile says `admission.grows_root`.

    ## Why it matters
    The size of a disk is chosen when a machine is created. Without growpart, a machine with 100 GiB can use only the few of the image, and
    runs out of space.

    ## References
    - OpenStack, "Image requirements", "Disk partitions and resize root partition on boot (cloud-init)"
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_STATUS: _BASH}, target="openstack", flags=("/usr/bin/growpart",)),
        Example({_STATUS: _BASH, "/usr/bin/growpart": "#!/bin/sh\n"}, target="openstack"),
        Example({_STATUS: _BASH, "/etc/repart.d/50.conf": "[Partition]\n"}, target="openstack", title="systemd-repart"),
        Example({_STATUS: _BASH}, title="KVM asks for none"),
    )

    def check(self, fs: GuestFS, fstab: Fstab, packages: Packages, target: Target) -> Iterator[Finding]:
        if not target.admission.grows_root:
            raise NotApplicable(f"disks of {target.name} are as large as the image")
        grown = any("x-systemd.growfs" in entry.options for entry in fstab.entries if entry.mount_point == "/")
        if packages.known and not grown and not any(fs.glob(pattern) for pattern in _GROWERS):
            message = "nothing makes the root filesystem as large as the disk"
            yield self.finding(WholeFile(_GROWERS[0]), message, "it stays as small as the image")
