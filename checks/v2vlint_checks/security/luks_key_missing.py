"""Rule luks-key-missing."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Content,
    Example,
    Finding,
    RootStack,
    Rule,
    Severity,
    Stage,
    UnlockVerdict,
    sample_boot,
    sample_initramfs,
)

_INSIDE = BlockDevice("luks-4a2e-99", "luks", 1 << 30, 0, fs_type="ext4", uuid="0f3c-77", parents=("disk1p2",))
_STICK = BlockDevice("disk2p1", "partition", 1 << 20, 1, 1, "vfat", "57CC", "STICK", parents=("disk2",))
_BLOCKS = BlockTable(
    (
        BlockDevice("disk1", "disk", 2 << 30, 0),
        BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "crypto_LUKS", "4a2e-99", parents=("disk1",)),
        _INSIDE,
    )
)
_STACK = RootStack("ext4", _INSIDE, (_INSIDE,))
_CFG = "/boot/grub/grub.cfg"
_SCRIPT = "lib/cryptsetup/scripts/"
_IMAGE = "/boot/initrd.img-6.1.0-13-amd64"


def _opened(key: str, options: str, **more: str) -> dict[str, Content]:
    """A guest whose initramfs opens the root with this key."""
    members = {"cryptroot/crypttab": f"root UUID=4a2e-99 {key} luks,{options}\n", **{_SCRIPT + name: text for name, text in more.items()}}
    return {**sample_boot(image=sample_initramfs(files=members), args="root=/dev/mapper/root")}


def _dracut(key: str) -> dict[str, Content]:
    members = {"usr/lib/dracut/modules.txt": "crypt\n", "etc/crypttab": f"root UUID=4a2e-99 {key} luks\n"}
    return {**sample_boot(image=sample_initramfs(files=members), args="root=/dev/mapper/root")}


class LuksKeyMissing(Rule):
    """The key that opens the encrypted root is not there.

    ## What it does
    Looks at the crypttab inside the initramfs, and at the command line: a key on a device that is on none of the guest's disks, such as a
    USB stick (`keyscript=passdev`, systemd's `/key:LABEL=STICK`, `rd.luks.key=`, `cryptkey=`, `root_keydev=`); a key file or key script
    that the initramfs lacks; a smart card.

    ## Why it matters
    Debian's `passdev` waits for its device for ever; where a key script or file is named, `cryptroot` never asks for a passphrase. systemd
    fails when the device does not appear, or asks with `keyfile-timeout=`. A stick or card of the source has to be passed to the new
    machine, or the key replaced.

    ## References
    - cryptsetup (Debian), `debian/initramfs/scripts/local-top/cryptroot`, `debian/scripts/passdev.c`; crypttab(5)
    - On the source: `cryptsetup luksAddKey`, then `none` as the key in /etc/crypttab and `update-initramfs -u`
    """

    severity = Severity.ERROR
    stage = Stage.UNLOCK
    since = "0.1"
    predicts = (r"cryptsetup failed, bad password or options\?", r"non-existing key file")
    examples = (
        Example(
            _opened("/dev/disk/by-label/STICK:/root.key", "keyscript=passdev", passdev=""),
            given=(_BLOCKS, _STACK),
            flags=(_IMAGE,),
            severity=Severity.ERROR,
        ),
        Example(
            _opened("/dev/disk/by-label/STICK:/root.key", "keyscript=passdev", passdev=""),
            given=(BlockTable((*_BLOCKS.devices, BlockDevice("disk2", "disk", 1 << 20, 1), _STICK)), _STACK),
            title="the stick is one of the disks",
        ),
        Example(
            _opened("/dev/disk/by-id/usb-Kingston_1-0:0-part1", "initramfs"),
            given=(_BLOCKS, _STACK),
            flags=(_IMAGE,),
            severity=Severity.ERROR,
        ),
        Example(_opened("/cryptroot/keyfiles/root.key", ""), given=(_BLOCKS, _STACK), flags=(_IMAGE,), severity=Severity.ERROR),
        Example(_opened("none", "keyscript=/bin/unlock"), given=(_BLOCKS, _STACK), flags=(_IMAGE,), severity=Severity.ERROR),
        Example(
            _opened("/etc/keys/root.enc", "keyscript=decrypt_opensc", decrypt_opensc=""),
            given=(_BLOCKS, _STACK),
            flags=(_IMAGE,),
            severity=Severity.WARNING,
        ),
        Example(_dracut("/root.key:LABEL=STICK"), given=(_BLOCKS, _STACK), flags=(_IMAGE,), severity=Severity.WARNING),
        *(
            Example(
                {**sample_boot(args=f"root=/dev/mapper/root {argument}")},
                given=(_BLOCKS, _STACK),
                flags=(f"{_CFG}:2",),
                severity=Severity.WARNING,
            )
            for argument in ("rd.luks.key=/k:LABEL=STICK", "cryptkey=LABEL=STICK:vfat:/k", "root_keydev=/dev/disk/by-id/usb-X_1-0:0-part1")
        ),
        Example({**sample_boot(args="root=/dev/mapper/root rd.luks.key=/k:UUID=4a2e-99 cryptkey=rootfs:/k")}, given=(_BLOCKS, _STACK)),
        Example({**sample_boot(args="root=/dev/mapper/root cryptkey=LABEL=STICK:vfat:/k")}, title="the root is not encrypted"),
        Example(_dracut("/root.key"), given=(_BLOCKS, _STACK), title="systemd asks for a passphrase"),
        Example(_opened("none", ""), given=(_BLOCKS, _STACK)),
        Example(_opened("/etc/keys/x", "keyscript=decrypt_keyctl", decrypt_keyctl=""), given=(_BLOCKS, _STACK)),
    )

    def check(self, unlock: UnlockVerdict) -> Iterator[Finding]:
        for cause in (*unlock.keys, *unlock.key_arguments):
            yield self.finding(cause.where, cause.reason, cause.about, severity=cause.severity)
