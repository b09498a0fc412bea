"""Rules and forecast after the mover: what virt-v2v repairs is no error anywhere, what it does not is one in both."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from v2vlint import target as targets
from v2vlint.engine import boot
from v2vlint.engine.examples import example_store
from v2vlint.engine.judge import judge
from v2vlint.engine.packs import load_all
from v2vlint.engine.present import Presenter
from v2vlint.facts.conversion.devices import DeviceNames
from v2vlint.facts.conversion.kernel import ConvertedKernel
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.registry import needs
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition, DiskDevice
from v2vlint.model.finding import Fate, Mover, Severity, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import TargetReport
from v2vlint.model.rule import Content, Example
from v2vlint.samples.boot import sample_boot, sample_chain, sample_initramfs, sample_kernel
from v2vlint.verdicts import VERDICTS

RULES = load_all()
EL9 = OsInfo("linux", "rocky", "rhel", "Rocky Linux", "9.4", "x86_64")
SLES = OsInfo("linux", "sles", "suse", "SLES", "15.5", "x86_64")
DEBIAN = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12.5", "x86_64")
ROOT, BOOT = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"
DISK = BlockTable(
    (
        BlockDevice("disk1", "disk", 8 << 30, 0, details=(("pt", "dos"),)),
        BlockDevice("disk1p1", "partition", 7 << 30, 0, 1, "ext4", ROOT, bootable=True, part_uuid="5e1d-01"),
        BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, "xfs", BOOT, part_uuid="5e1d-02"),
    ),
    chains=(sample_chain(),),
)
MODULES = (
    "virtio_blk: virtio_ring virtio",
    "virtio_pci: virtio_ring",
    "virtio_net: virtio",
    "virtio_ring: virtio",
    "virtio",
    "virtio_scsi",
    "nvme",
)
PVSCSI = sample_initramfs(("vmw_pvscsi", "sd_mod"), {"usr/lib/dracut/modules.txt": "base\n", "usr/lib/dracut-lib.sh": "#\n"})
TOOLS: dict[str, Content] = {"/usr/bin/dracut": "", "/usr/sbin/grub2-mkconfig": "", "/usr/sbin/grubby": ""}


def guest(image: bytes = PVSCSI, fstab: str = "", args: str = f"root=UUID={ROOT} ro", tools: bool = True) -> dict[str, Content]:
    """A whole guest whose initramfs knows VMware's controller only."""
    kernel = sample_kernel((*MODULES, "vmw_pvscsi"), ("ext4", "sd_mod", "xfs"))
    files: dict[str, Content] = {**sample_boot(kernel, image, args), "/etc/fstab": f"UUID={ROOT} / ext4 defaults 0 1\n{fstab}"}
    return files | (TOOLS if tools else {})


@dataclass(frozen=True, slots=True)
class Judged:
    """Errors by rule with their stage, and the fate of each stage."""

    report: TargetReport

    @property
    def errors(self) -> dict[str, Stage | None]:
        found = (one.finding for result in self.report.results for one in result.findings)
        return {one.rule: one.stage for one in found if one.severity is Severity.ERROR}

    def fate(self, stage: Stage) -> Fate:
        stages = self.report.forecast.stages if self.report.forecast else ()
        return next(one.fate for one in stages if one.stage is stage)

    def severity(self, rule: str) -> Severity:
        return next(one.finding.severity for result in self.report.results if result.rule == rule for one in result.findings)


def judged(files: dict[str, Content], os: OsInfo = EL9, target: str = "kvm", mover: Mover = Mover.VIRT_V2V, *given: object) -> Judged:
    """What all rules and the forecast say."""
    there = targets.load(target)
    store = example_store(Example(files, given=(DISK, os, *given), target=target, mover=mover))
    presenter = Presenter("x")
    reports = judge(store, [rule for rule in RULES if not rule.of_the_machine], (there,), mover, (presenter,))
    (report,) = boot.counted(reports, (presenter,), store.get(GuestFS))
    return Judged(report)


def laws(found: Judged) -> None:
    """A failed stage has an error at its place, and no error names a stage that passes."""
    stages = found.report.forecast.stages if found.report.forecast else ()
    errors = [one.finding for result in found.report.results for one in result.findings if one.finding.severity is Severity.ERROR]
    for stage in stages:
        told = [error for error in errors if error.stage is stage.stage]
        if stage.fate is Fate.FAIL:
            assert any(error.where == stage.where for error in told), stage
        elif stage.fate is not Fate.SKIPPED:
            assert told == [], stage


def test_what_every_vsphere_guest_looks_like_boots_after_virt_v2v() -> None:
    found = judged(guest())
    assert found.errors == {}
    assert found.fate(Stage.INITRAMFS) is Fate.PASS
    assert found.severity("initramfs-without-storage-driver") is Severity.INFO


@pytest.mark.parametrize(
    ("files", "os", "target", "mover"),
    [
        (guest(), EL9, "kvm", Mover.RAW),
        (guest(), EL9, "ec2-nitro", Mover.VIRT_V2V),
        (guest(tools=False), EL9, "kvm", Mover.VIRT_V2V),
        (guest(), OsInfo("linux", "amzn", "rhel", "Amazon Linux", "2", "x86_64"), "kvm", Mover.VIRT_V2V),
    ],
    ids=["a raw copy", "no NVMe from virt-v2v", "nothing that it could rebuild with", "a distribution that it refuses"],
)
def test_an_initramfs_that_nobody_repairs_stops_the_boot(files: dict[str, Content], os: OsInfo, target: str, mover: Mover) -> None:
    found = judged(files, os, target, mover)
    assert found.errors["initramfs-without-storage-driver"] is Stage.INITRAMFS
    assert found.fate(Stage.INITRAMFS) is Fate.FAIL
    laws(found)


@pytest.mark.parametrize(
    ("os", "definition", "fate"),
    [
        (EL9, Definition("", ""), Fate.PASS),
        (SLES, Definition("", ""), Fate.FAIL),
        (SLES, Definition("vmx", "g.vmx", disks=(DiskDevice("a.vmdk", bus="scsi"),)), Fate.PASS),
        (EL9, Definition("vmx", "g.vmx", disks=(DiskDevice("a.vmdk", bus="nvme"),)), Fate.FAIL),
    ],
    ids=["sd", "without a definition SUSE's disks are hd", "a definition says SCSI", "a definition says NVMe"],
)
def test_a_device_name_in_fstab_is_judged_as_virt_v2v_leaves_it(os: OsInfo, definition: Definition, fate: Fate) -> None:
    found = judged(guest(fstab="/dev/sda2 /boot/x xfs defaults 0 2\n"), os, "kvm", Mover.VIRT_V2V, definition)
    assert found.fate(Stage.MOUNTS) is fate
    assert ("fstab-device-name" in found.errors) is (fate is Fate.FAIL)
    laws(found)


@pytest.mark.parametrize(("target", "fate"), [("kvm", Fate.PASS), ("vmware", Fate.FAIL), ("proxmox", Fate.FAIL)])
def test_a_renamed_device_is_gone_where_disks_are_not_called_so(target: str, fate: Fate) -> None:
    image = sample_initramfs((*MODULES, "vmw_pvscsi", "virtio_scsi"))
    files = guest(image, "/dev/sda2 /boot/x xfs defaults 0 2\n")
    assert judged(files, target=target, mover=Mover.RAW).fate(Stage.MOUNTS) is (Fate.FAIL if target == "kvm" else Fate.PASS)
    found = judged(files, target=target)
    assert found.fate(Stage.MOUNTS) is fate
    laws(found)


@pytest.mark.parametrize(("console", "fate"), [("tty1", Fate.PASS), ("ttyS0", Fate.PASS), ("hvc0", Fate.UNKNOWN)])
def test_a_virtual_terminal_is_a_console(console: str, fate: Fate) -> None:
    found = judged(guest(args=f"root=UUID={ROOT} ro console={console}"))
    assert found.fate(Stage.CONSOLE) is fate


def _uefi() -> tuple[dict[str, Content], BlockTable]:
    esp = BlockDevice("disk1p3", "partition", 1 << 29, 0, 3, "vfat", "AB-CD", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    disk = BlockDevice("disk1", "disk", 8 << 30, 0, details=(("pt", "gpt"),))
    efi: dict[str, Content] = {
        "/boot/efi/EFI/debian/shimx64.efi": b"MZ shim",
        "/boot/efi/EFI/debian/grubx64.efi": b"MZ grub",
        "/boot/efi/EFI/debian/grub.cfg": "configfile /boot/grub/grub.cfg\n",
    }
    return {**guest(), **efi}, BlockTable((disk, *DISK.devices[1:], esp), chains=(sample_chain("none"),))


@pytest.mark.parametrize(("version", "fate"), [("12.5", Fate.PASS), ("11.9", Fate.FAIL)])
def test_virt_v2v_copies_a_fallback_loader_for_three_distributions(version: str, fate: Fate) -> None:
    files, table = _uefi()
    os = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", version, "x86_64")
    found = judged(files, os, "kvm", Mover.VIRT_V2V, table)
    assert found.fate(Stage.FIRMWARE) is fate
    assert ("efi-no-fallback-loader" in found.errors) is (fate is Fate.FAIL)
    laws(found)


def test_a_xen_kernel_gives_way_to_another_one() -> None:
    xen = "2.6.32-5-xen-amd64"
    files = {**guest(), **sample_kernel(version=xen), f"/boot/config-{xen}": "CONFIG_X86_64_XEN=y\n", f"/boot/initrd.img-{xen}": PVSCSI}
    entry = f"menuentry 'Xen' {{\n\tlinux /boot/vmlinuz-{xen} root=UUID={ROOT}\n\tinitrd /boot/initrd.img-{xen}\n}}\n"
    files["/boot/grub/grub.cfg"] = f"{entry}{files['/boot/grub/grub.cfg']!s}"
    found = judged(files)
    assert (found.fate(Stage.KERNEL), found.fate(Stage.INITRAMFS)) == (Fate.PASS, Fate.PASS)
    assert found.severity("xen-pv-kernel") is Severity.INFO
    without = {path: content for path, content in files.items() if path != "/usr/sbin/grubby"}
    assert judged(without).fate(Stage.KERNEL) is Fate.FAIL


def test_a_kernel_without_virtio_lands_on_sata() -> None:
    kernel = sample_kernel(("ahci", "e1000", "vmw_pvscsi"), ("ext4", "sd_mod", "xfs"))
    image = sample_initramfs(("ahci",), {"usr/lib/dracut/modules.txt": "base\n", "usr/lib/dracut-lib.sh": "#\n"})
    files: dict[str, Content] = {**sample_boot(kernel, image, f"root=UUID={ROOT}"), **TOOLS, "/etc/fstab": "/dev/sda1 / ext4\n"}
    store = example_store(Example(files, given=(DISK, EL9), mover=Mover.VIRT_V2V))
    assert store.get(ConvertedKernel).supports("virtio_blk") is False
    assert store.get(Landing).prefixes == {"sd"}
    assert store.get(DeviceNames).after("/dev/sda1") == "/dev/sda1"
    found = judged(files)
    assert found.fate(Stage.INITRAMFS) is Fate.PASS
    assert found.severity("kernel-without-storage-driver") is Severity.WARNING


@pytest.mark.parametrize(
    ("buses", "spec", "after"),
    [
        (("scsi", "nvme"), "/dev/sda1", "/dev/vda1"),
        (("scsi", "nvme"), "/dev/nvme1n1p2", "/dev/vdb2"),
        (("scsi", "nvme"), "/dev/nvme0n1p2", "/dev/nvme0n1p2"),
        (("ide", "ide"), "/dev/sdb", "/dev/vdb"),
        (("virtio",), "/dev/vda3", "/dev/vda3"),
        (("scsi",), "/dev/xvda1", "/dev/vda1"),
        (("scsi",), "/dev/sdb1", "/dev/sdb1"),
        (("scsi",), "/dev/disk/by-path/pci-0:1-part1", "/dev/disk/by-path/pci-0:1-part1"),
        (("scsi",), "/dev/cciss/c0d0p1", "/dev/cciss/c0d0p1"),
    ],
)
def test_names_by_the_position_of_the_disk_among_all(buses: tuple[str, ...], spec: str, after: str) -> None:
    definition = Definition("vmx", "g.vmx", disks=tuple(DiskDevice("a.vmdk", bus=bus) for bus in buses))
    store = example_store(Example(guest(), given=(DISK, EL9, definition), mover=Mover.VIRT_V2V))
    assert store.get(DeviceNames).after(spec) == after


def test_a_raw_copy_changes_and_refuses_nothing() -> None:
    store = example_store(Example(guest(tools=False), given=(DISK, EL9)))
    assert store.get(Refusals) == Refusals()
    assert store.get(DeviceNames).after("/dev/sda1") == "/dev/sda1"
    assert store.get(Landing).controllers == targets.load("kvm").controllers


def test_every_stage_has_its_own_place() -> None:
    for kind in ("linux", "windows"):
        places = [verdict.place for verdict in VERDICTS if kind in verdict.kinds]
        stages = [verdict.stage for verdict in VERDICTS if kind in verdict.kinds]
        assert places == sorted(set(places))
        assert stages == sorted(stages, key=list(Stage).index)


def test_a_rule_that_names_a_stage_asks_for_its_verdict() -> None:
    strangers = [
        loaded.id
        for loaded in RULES
        if loaded.rule.stage is not None
        and loaded.group != "network"
        and not any(getattr(kind, "stage", None) is loaded.rule.stage for kind in needs(type(loaded.rule).check).values())
    ]
    assert strangers == []
