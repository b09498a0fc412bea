"""The verdicts on userland, console, unlocking and the default entry, and the forecast that they make together."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, REPAIRED, ROOT, UNSURE, VOLUME, WARNS, Told, disk, part, store, told
from v2vlint.facts.boot.consoles import Console, Consoles
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.kernel.cpu_needs import BinaryNeed, CpuNeeds
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Forecast
from v2vlint.samples.boot import EXT4, NETWORK, SCSI, VIRTIO, sample_boot, sample_chain, sample_elf, sample_initramfs, sample_kernel
from v2vlint.target import load
from v2vlint.verdicts import VERDICTS, predict, stopping
from v2vlint.verdicts.console import ConsoleVerdict
from v2vlint.verdicts.entry import EntryVerdict
from v2vlint.verdicts.unlock import UnlockVerdict
from v2vlint.verdicts.userland import UserlandVerdict

CONVERTS = (Conversion(by_virt_v2v=True, fits=True), Refusals(converts=True))
PASSES = (Fate.PASS, None)


def needs(level: int, machine: str = "x86_64", distribution: int = 0) -> CpuNeeds:
    """A userland whose C library asks for this level."""
    return CpuNeeds((BinaryNeed(WholeFile("/lib64/libc.so.6"), level),), distribution, machine)


def rhel(version: str) -> OsInfo:
    return OsInfo("linux", "rhel", "rhel", "Red Hat Enterprise Linux", version, "x86_64")


@pytest.mark.parametrize(
    ("cpu", "level", "given", "found"),
    [
        (needs(3), 1, (), [FAILS, PASSES]),
        (needs(2), 1, (), [FAILS, PASSES]),
        (needs(1), 1, (), [PASSES]),
        (needs(3, "i386"), 1, (), [PASSES]),
        (needs(3, ""), 1, (), [FAILS, PASSES]),
        (needs(3), 3, (), [PASSES]),
        (CpuNeeds(), 1, (), [PASSES]),
        (needs(2), 1, (*CONVERTS, rhel("9.4")), [REPAIRED, PASSES]),
        (needs(2), 1, (*CONVERTS, rhel("10.0")), [REPAIRED, PASSES]),
        (needs(2), 1, (*CONVERTS, rhel("8.9")), [FAILS, PASSES]),
        (needs(3), 1, (*CONVERTS, rhel("10.0")), [FAILS, PASSES]),
        (needs(2), 1, CONVERTS, [FAILS, PASSES]),
        (needs(2), 1, (CONVERTS[0], Refusals(), rhel("9.4")), [FAILS, PASSES]),
        (needs(2), 1, (Conversion(by_virt_v2v=False, fits=False), CONVERTS[1], rhel("9.4")), [FAILS, PASSES]),
        (needs(0, distribution=2), 1, (), [UNSURE, PASSES]),
        (needs(0, distribution=1), 1, (), [PASSES]),
        (needs(0, distribution=2), 3, (), [PASSES]),
        (needs(0, "aarch64", distribution=2), 1, (), [PASSES]),
        (needs(2, distribution=3), 1, (), [FAILS, PASSES]),
        (needs(1, distribution=2), 1, (), [UNSURE, PASSES]),
        (CpuNeeds((), 2, "x86_64"), 1, (), [PASSES]),
    ],
)
def test_the_level_of_the_cpu(cpu: CpuNeeds, level: int, given: tuple[object, ...], found: Told) -> None:
    assert told(store({}, cpu, dataclasses.replace(load("kvm"), cpu_level=level), *given).get(UserlandVerdict).causes) == found


@pytest.mark.parametrize(("level", "found"), [(82, [UNSURE, PASSES]), (81, [UNSURE, PASSES]), (80, [PASSES])])
def test_the_level_of_an_arm_cpu(level: int, found: Told) -> None:
    target = dataclasses.replace(load("kvm-aarch64"), arm_level=80)
    cpu = dataclasses.replace(needs(0, "aarch64"), arm_level=level)
    assert told(store({}, cpu, target).get(UserlandVerdict).causes) == found


def menu(args: str, *consoles: Console) -> tuple[dict[str, str | bytes], tuple[object, ...]]:
    """A guest with this kernel command line and these gettys."""
    return {"/boot/grub/grub.cfg": f"menuentry 'x' {{\n linux /boot/vmlinuz {args}\n}}\n"}, (Consoles(consoles),)


def getty(name: str) -> Console:
    return Console(name, WholeFile("/etc/inittab"))


@pytest.mark.parametrize(
    ("args", "gettys", "target", "found", "words"),
    [
        ("console=ttyS0,115200n8", (), "kvm", PASSES, "console on ttyS0"),
        ("console=hvc0", (), "kvm", UNSURE, "console only on hvc0; the target has"),
        ("console=hvc0 console=tty0", (), "kvm", PASSES, "console on tty0"),
        ("console=ttyS0 -- console=hvc0", (), "kvm", PASSES, "console on ttyS0"),
        ("quiet -- console=hvc0", (), "kvm", PASSES, "login on the display"),
        ("console=tty5", (), "kvm", PASSES, "console on tty5"),
        ("console=tty5", (), "gce", UNSURE, "console only on tty5; the target has ttyS0"),
        ("console=ttyAMA0", (), "kvm", UNSURE, "console only on ttyAMA0"),
        ("console=ttyS1", (), "kvm", UNSURE, "console only on ttyS1"),
        ("console=", (), "kvm", PASSES, "login on the display"),
        ("quiet", (), "kvm", PASSES, "login on the display"),
        ("quiet", (getty("tty1"),), "gce", PASSES, "login on the display"),
        ("quiet", (getty("ttyS1"),), "kvm", UNSURE, "console only on ttyS1"),
        ("quiet", (getty("hvc0"), getty("ttyS0")), "kvm", PASSES, "console on ttyS0"),
        ("quiet", (), "gce-arm64", PASSES, "console on ttyAMA0"),
        ("console=ttyS0", (), "azure-arm64", PASSES, "console on ttyAMA0"),
        ("console=tty1 console=ttyAMA0", (), "kvm-aarch64", PASSES, "console on tty1, ttyAMA0"),
    ],
)
def test_consoles(args: str, gettys: tuple[Console, ...], target: str, found: tuple[Fate, object], words: str) -> None:
    files, given = menu(args, *gettys)
    (cause,) = store(files, *given, target=target).get(ConsoleVerdict).causes
    assert ((cause.fate, cause.severity), cause.reason[: len(words)]) == (found, words)


def test_the_first_console_of_an_arm_machine_is_told() -> None:
    files, given = menu("quiet")
    target = dataclasses.replace(load("gce-arm64"), consoles=("ttyAMA0", "ttyS0"))
    (cause,) = store(files, target, *given).get(ConsoleVerdict).causes
    assert cause.reason == "console on ttyAMA0"


def luks(tokens: str, opening: str = "0") -> BlockTable:
    """An encrypted partition with these key slots and tokens (``TYPE:SLOT``), and the root in it."""
    container = part(1, "crypto_LUKS", VOLUME, details=(("tokens", tokens), ("opening", opening)))
    return BlockTable(
        (disk(), container, BlockDevice(f"luks-{VOLUME}", "luks", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p1",)))
    )


@pytest.mark.parametrize(
    ("blocks", "fstab", "keeps", "found"),
    [
        (luks("systemd-tpm2:0"), "root", False, [FAILS]),
        (luks("systemd-tpm2:0"), "root", True, []),
        (luks("systemd-tpm2:1", "0,1"), "root", False, [WARNS]),
        (luks("systemd-tpm2:1,systemd-tpm2:0", "0,1"), "root", False, [FAILS]),
        (luks("clevis:0"), "root", False, [UNSURE]),
        (luks("clevis:0"), "root", True, []),
        (luks("systemd-fido2:0"), "root", False, [UNSURE]),
        (luks("systemd-fido2:0"), "root", True, [UNSURE]),
        (luks("systemd-fido2:1", "0,1"), "root", False, [WARNS]),
        (luks("systemd-fido2:1,systemd-tpm2:0", "0,1"), "root", False, [UNSURE]),
        (luks("systemd-fido2:1,systemd-tpm2:0", "0,1"), "root", True, []),
        (luks("systemd-pkcs11:1,systemd-tpm2:2", "0,1,2"), "root", False, [WARNS]),
        (luks("systemd-pkcs11:1,systemd-tpm2:1", "0,1"), "root", False, [WARNS]),
        (luks("other:0,systemd-tpm2:0"), "root", False, [FAILS]),
        (luks("other:0,systemd-tpm2:1", "0,1"), "root", False, [WARNS]),
        (luks("systemd-tpm2:0"), "/dev/mapper/data /data xfs defaults 0 2", False, [FAILS]),
        (luks("systemd-tpm2:0"), "/dev/mapper/data /data xfs nofail 0 2", False, [WARNS]),
        (luks("systemd-tpm2:0"), "", False, [WARNS]),
    ],
)
def test_keys_that_a_tpm_sealed(blocks: BlockTable, fstab: str, keeps: bool, found: Told) -> None:
    files = {
        "/etc/fstab": f"UUID={ROOT} / ext4 defaults 0 1\n" if fstab == "root" else fstab,
        "/etc/crypttab": f"data UUID={VOLUME} none luks\n",
    }
    judged = store(files, blocks, dataclasses.replace(load("kvm"), keeps_tpm=keeps)).get(UnlockVerdict)
    assert told(judged.tpm) == found
    assert [cause.about.entry is not None for cause in judged.tpm] == [True for _cause in found]


@pytest.mark.parametrize(
    ("modules", "target", "found"),
    [
        ((), "hyperv-gen2", [UNSURE]),
        (("hyperv_keyboard",), "hyperv-gen2", []),
        ((), "kvm", []),
    ],
)
def test_the_driver_of_the_only_keyboard(modules: tuple[str, ...], target: str, found: Told) -> None:
    kernel = sample_kernel((*VIRTIO, *SCSI, *EXT4, "hyperv_keyboard"))
    files = sample_boot(kernel, sample_initramfs((*EXT4, *modules)), f"root=UUID={ROOT}")
    stack = RootStack("ext4", luks("").devices[-1], luks("").devices[-1:])
    judged = store(files, luks("none"), stack, target=target).get(UnlockVerdict)
    assert (told(judged.keyboard), judged.passphrase[0].fate) == (found, Fate.PASS)
    assert judged.passphrase[0].reason == f"luks-{VOLUME} asks for its passphrase on the console"


def test_without_encryption_there_is_nothing_to_unlock() -> None:
    files = sample_boot(args=f"root=UUID={ROOT}")
    assert [cause.fate for cause in store(files).get(UnlockVerdict).causes] == [Fate.SKIPPED]


@pytest.mark.parametrize(
    ("entry", "fate"),
    [
        ("linux /boot/vmlinuz root=UUID=x", Fate.PASS),
        ("chainloader +1", Fate.UNKNOWN),
        ("chainloader /efi/other.efi", Fate.UNKNOWN),
    ],
)
def test_the_default_entry(entry: str, fate: Fate) -> None:
    assert store({"/boot/grub/grub.cfg": f"menuentry 'x' {{\n {entry}\n}}\n"}).get(EntryVerdict).fate is fate


def forecast(image: bytes, *given: object, fstab: str = "", level: int = 1, target: str = "kvm") -> Forecast:
    """The forecast of a whole guest with this initramfs."""
    kernel = sample_kernel((*VIRTIO, *SCSI, *EXT4, *NETWORK))
    files = sample_boot(kernel, image, f"root=UUID={ROOT} ro")
    files |= {"/etc/fstab": f"UUID={ROOT} / ext4 defaults 0 1\n{fstab}", "/lib64/libc.so.6": sample_elf(level), "/sbin/init": sample_elf(1)}
    return predict(
        store(files, BlockTable((disk(details=(("pt", "dos"),)), part(1, "ext4", ROOT)), chains=(sample_chain(),)), *given, target=target)
    )


GOOD = sample_initramfs((*VIRTIO, *SCSI, *EXT4))
LINUX = [kind.stage for kind in VERDICTS if "linux" in kind.kinds]


def test_every_stage_is_told_in_its_order() -> None:
    found = forecast(GOOD)
    assert [stage.stage for stage in found.stages] == LINUX
    assert Fate.FAIL not in {stage.fate for stage in found.stages}
    assert found.way_back == ""


def test_behind_a_stage_that_stops_nothing_is_judged() -> None:
    found = forecast(sample_initramfs(EXT4))
    fates = {stage.stage: stage.fate for stage in found.stages}
    after = LINUX[LINUX.index(Stage.INITRAMFS) + 1 :]
    assert found.fate is Fate.FAIL
    assert fates[Stage.INITRAMFS] is Fate.FAIL
    assert {fates[stage] for stage in after} == {Fate.SKIPPED}
    assert {stage.reason for stage in found.stages if stage.fate is Fate.SKIPPED} == {"the boot stops at the initramfs stage"}


def test_the_worst_stage_without_which_nobody_logs_in_decides() -> None:
    unknown = forecast(GOOD, fstab="/srv/image /data ext4 loop 0 2\n")
    assert {stage.stage: stage.fate for stage in unknown.stages}[Stage.MOUNTS] is Fate.UNKNOWN
    assert unknown.fate is Fate.UNKNOWN
    assert Stage.CONSOLE not in stopping()
    assert Stage.NETWORK not in stopping()
    assert Stage.MOUNTS in stopping()


def test_a_guest_of_another_kind_has_its_own_stages() -> None:
    windows = OsInfo("windows", "windows", "windows", "Windows 10", "10.0", "x86_64")
    found = predict(store({}, windows))
    assert {stage.stage for stage in found.stages} == {kind.stage for kind in VERDICTS if "windows" in kind.kinds}


def test_the_way_back_is_told_only_where_kernel_or_initramfs_fail() -> None:
    files = sample_boot(sample_kernel((*VIRTIO, *SCSI, *EXT4)), sample_initramfs(EXT4), f"root=UUID={ROOT} ro")
    rescue = f"menuentry 'Rescue' {{\n linux /boot/vmlinuz-6.1.0-13-amd64 root=UUID={ROOT}\n initrd /boot/rescue.img\n}}\n"
    files["/boot/grub/grub.cfg"] = f"{files['/boot/grub/grub.cfg']!s}{rescue}"
    files["/boot/rescue.img"] = GOOD
    blocks = BlockTable((disk(details=(("pt", "dos"),)), part(1, "ext4", ROOT)), chains=(sample_chain(),))
    assert "'Rescue' can drive" in predict(store(files, blocks)).way_back
    empty = BlockTable((disk(details=(("pt", "dos"),)), part(1, "ext4", ROOT)), chains=(sample_chain("none"),))
    stopped = predict(store(files, empty))
    assert (stopped.stages[0].fate, stopped.way_back) == (Fate.FAIL, "")
