"""Rule grub-install-device."""

from collections.abc import Iterator

from v2vlint.api import BlockTable, Example, Finding, GrubInstall, NameFate, NameKind, Rule, Severity, Target, Token, kernel_fate, name_kind

_DAT = "/var/cache/debconf/config.dat"
_ANSWER = "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\nValue: {0}\nOwners: grub-pc\nFlags: seen\n\n"


class GrubInstallDevice(Rule):
    """The disk for GRUB updates is recorded under a name that will change.

    ## What it does
    Finds kernel names and hardware paths in Debian's debconf answer `grub-pc/install_devices`, SUSE's `/etc/default/grub_installdevice`
    and Red Hat's old `/etc/sysconfig/grub`.

    ## Why it matters
    The guest boots. The next update of GRUB does not find the disk and leaves old boot code with new modules, or asks a question that
    nobody answers; the boot after that may end at GRUB's rescue prompt.

    ## References
    - lavabit/robox issue 166; openSUSE/update-bootloader issue 45; rear issue 1450
    - `dpkg-reconfigure grub-pc` in the guest sets it again
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {_DAT: "Name: grub-pc/chainload\nValue: \n\n" + _ANSWER.format("/dev/disk/by-id/ata-QEMU_HARDDISK_QM00001")},
            flags=(f"{_DAT}:6",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/default/grub_installdevice": "/dev/sda\nactivate\ngeneric_mbr\n"}, flags=("/etc/default/grub_installdevice:1",)),
        Example({_DAT: _ANSWER.format("/dev/sda")}, target="kvm-scsi"),
        Example(
            {_DAT: "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\nOwners: grub-pc\n\nName: x/y\nValue: /dev/sda\n"}
        ),
    )

    def check(self, install: GrubInstall, blocks: BlockTable, target: Target) -> Iterator[Finding]:
        for device in install.devices:
            if _changes(device, blocks, target):
                message = f"updates install GRUB on {device}, a name that changes"
                yield self.finding(device.where, message, "the next GRUB update misses the disk, and the boot after it may fail")


def _changes(device: Token, blocks: BlockTable, target: Target) -> bool:
    return kernel_fate(device.value, target, blocks) is NameFate.GONE or name_kind(device.value) is NameKind.HARDWARE
