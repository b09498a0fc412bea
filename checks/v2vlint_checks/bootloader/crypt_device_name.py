"""Rule crypt-device-name."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    CommandLines,
    Devices,
    Example,
    Finding,
    Fix,
    KernelArg,
    RootVerdict,
    Rule,
    Severity,
    Stage,
)

_BLOCKS = BlockTable(
    (BlockDevice("disk1", "disk", 2 << 30, 0), BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99"))
)
_ENTRY = (
    "title Arch\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\noptions cryptdevice={0}:root:allow-discards root=/dev/mapper/root\n"
)
_FILES: dict[str, str | bytes] = {"/boot/EFI/BOOT/BOOTX64.EFI": b"MZ LoaderInfo: systemd-boot 255"}
_CONF = "/boot/loader/entries/arch.conf"


class CryptDeviceName(Rule):
    """The command line names the encrypted root device by a name that will change.

    ## What it does
    Finds `cryptdevice=` (mkinitcpio), `crypt_root=` (genkernel) and `cryptroot=` (Alpine) with a kernel name or hardware path in the
    active boot menu.

    ## Why it matters
    The initramfs does not find the device to unlock, and so no root filesystem, and ends in its shell.

    ## Fix safety
    Safe where the device is known for sure: the UUID is read from its LUKS header.

    ## References
    - mkinitcpio `hooks/encrypt`; genkernel(8), `crypt_root`
    """

    severity = Severity.ERROR
    stage = Stage.ROOT
    since = "0.1"
    examples = (
        Example(
            {**_FILES, _CONF: _ENTRY.format("/dev/sda2")},
            given=(_BLOCKS,),
            flags=(f"{_CONF}:4",),
            severity=Severity.ERROR,
            fixed={_CONF: _ENTRY.format("UUID=4a2e-99")},
        ),
        Example({**_FILES, _CONF: _ENTRY.format("UUID=4a2e-99")}, given=(_BLOCKS,)),
        Example({**_FILES, _CONF: _ENTRY.format("/dev/sda2")}, given=(_BLOCKS,), target="kvm-scsi"),
    )

    def check(self, root: RootVerdict, lines: CommandLines, devices: Devices) -> Iterator[Finding]:
        for cause in root.containers:
            arg, device = cause.about.argument, cause.about.device
            effect = "the initramfs does not find the device to unlock and ends in its shell"
            fix = _by_uuid(arg, device, lines, devices)
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)


def _by_uuid(arg: KernelArg, device: str, lines: CommandLines, devices: Devices) -> Fix | None:
    lasting = devices.lasting(device, "crypto_LUKS")
    value = arg.value or ""
    # What follows the device stays: cryptdevice=DEVICE:NAME:OPTIONS.
    edits = lines.replace_value(arg.name, value, lasting.text + value[len(device) :]) if lasting else ()
    if lasting is None or not edits:
        return None
    return Fix(f"unlock {lasting.text}", Applicability.SAFE if lasting.certain else Applicability.UNSAFE, edits)
