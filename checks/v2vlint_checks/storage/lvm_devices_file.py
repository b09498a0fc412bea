"""Rule lvm-devices-file."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BlockDevice,
    BlockTable,
    Delete,
    Example,
    Finding,
    Fix,
    LvmDevices,
    MountsVerdict,
    Mover,
    OsInfo,
    RootVerdict,
    Rule,
    Severity,
    Stage,
    TiedVolumes,
)

_LINE = "IDTYPE=sys_wwid IDNAME=naa.6000c29d1 DEVNAME=/dev/sda3 PVID=p2Qx PART=3\n"
_PATH = "/etc/lvm/devices/system.devices"
_RHEL = OsInfo("linux", "rhel", "rhel", "Red Hat Enterprise Linux", "9.4", "x86_64")
_HOME = BlockDevice("rhel/home", "lv", 1 << 30, 0, 0, "xfs", "cc-33", parents=("disk1p3",))
_CFG = "menuentry 'RHEL' {\n linux /vmlinuz-5.14.0 root=/dev/mapper/rhel-root rd.lvm.lv=rhel/root\n initrd /initramfs.img\n}\n"
_EARLY = "LVM ignores the volume with the root, and boot stops in the initramfs: it has to be made anew"


class LvmDevicesFile(Rule):
    """LVM is restricted to disks with the source's hardware identifiers.

    ## What it does
    Finds `/etc/lvm/devices/system.devices` with entries by WWID or serial number, where LVM uses the file (by default from RHEL 9 on), and
    entries by a name that is gone, where the target's disks (NVMe, Hyper-V) have an identity.

    ## Why it matters
    The target's disks have other identifiers, so LVM ignores the physical volumes on them. Disks listed by name are searched for by
    their PVID, but only among those that have no identity. The initramfs activates what `rd.lvm.lv=`
    lists, without the file. The root therefore comes up, but mounts on all other logical volumes stop boot in emergency mode.

    ## Fix safety
    Safe: without the file LVM scans every disk. virt-v2v deletes it too; `vgimportdevices -a` creates a new one.

    ## References
    - virt-v2v commit 8e4b732e (RHBZ#2112801); rear issue 3042; lvmdevices(8)
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    predicts = (r'Volume group "?\S+?"? not found', r"Cannot process volume group", r"/dev/mapper/\S+ does not exist")
    examples = (
        Example(
            {
                _PATH: f"# LVM uses devices listed in this file.\n{_LINE}",
                "/etc/fstab": "UUID=cc-33 /home xfs\n",
                "/boot/grub2/grub.cfg": _CFG,
            },
            given=(BlockTable((_HOME,)), _RHEL),
            flags=(f"{_PATH}:2",),
            severity=Severity.ERROR,
            fixed={_PATH: None},
        ),
        Example(
            {_PATH: _LINE, "/etc/fstab": "/dev/mapper/rhel-root / xfs\n", "/boot/grub2/grub.cfg": _CFG},
            given=(_RHEL,),
            flags=(f"{_PATH}:1",),
            severity=Severity.WARNING,
            title="only root is on LVM, and the initramfs activates that",
        ),
        Example({_PATH: _LINE}, given=(_RHEL,), mover=Mover.VIRT_V2V, flags=(f"{_PATH}:1",), severity=Severity.INFO),
        Example({_PATH: "IDTYPE=devname IDNAME=/dev/sda3 DEVNAME=/dev/sda3 PVID=p2Qx\n"}, given=(_RHEL,), title="found by its PVID"),
        Example(
            {
                _PATH: "IDTYPE=devname IDNAME=/dev/vda3 DEVNAME=/dev/vda3 PVID=p2Qx\n",
                "/etc/fstab": "UUID=cc-33 /home xfs\n",
                "/boot/grub2/grub.cfg": _CFG,
            },
            given=(BlockTable((_HOME,)), _RHEL),
            target="ec2-nitro",
            flags=(f"{_PATH}:1",),
            severity=Severity.ERROR,
            fixed={_PATH: None},
            title="disks with an identity are not searched",
        ),
        Example({_PATH: _LINE, "/etc/lvm/lvm.conf": "devices {\n use_devicesfile = 0\n}\n"}, given=(_RHEL,)),
        Example({_PATH: _LINE}, title="Debian's LVM does not use the file unless told to"),
    )

    def check(self, mounts: MountsVerdict, root: RootVerdict, devices: LvmDevices) -> Iterator[Finding]:
        for early in root.identities:
            yield self.finding(early.where, early.reason, _EARLY, severity=early.severity, stage=Stage.ROOT)
        for cause in mounts.lvm_devices:
            about = cause.about
            title = "delete the devices file, so that LVM scans every disk"
            fix = Fix(title, Applicability.SAFE, (Delete(devices.where.path),))
            yield self.finding(cause.where, cause.reason, _effect(cause.severity, about), severity=cause.severity, fix=fix)


def _effect(severity: Severity | None, about: TiedVolumes) -> str:
    if severity is Severity.INFO:
        return "virt-v2v deletes the file; after a raw copy LVM would ignore the volumes"
    if severity is Severity.ERROR:
        return f"LVM ignores the volumes, and boot stops while waiting for {', '.join(mount.entry.mount_point for mount in about.lost[:4])}"
    return "LVM ignores physical volumes until the file is renewed (vgimportdevices -a)"
