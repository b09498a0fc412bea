"""Roots that cannot be opened beside a /boot that can: what boots is judged all the same, what lies on the root is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk.images import open_paths, partitioned
from tests.guest.test_open import BOOT, MIB, ROOT, filesystem, root_files
from tests.guest.test_stacks import luks
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.kernel.modprobe import Modprobe
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.guest.open import GuestContents
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Mover, Stage
from v2vlint.samples.boot import VERSION, VIRTIO, sample_bzimage, sample_initramfs
from v2vlint.target import load
from v2vlint.verdicts import predict

MODULES = (*VIRTIO, "dm-mod", "dm-crypt: dm-mod")
CRYPTSETUP = {"sbin/cryptsetup": ""}
CONFIG = "CONFIG_VIRTIO_BLK=m\nCONFIG_VIRTIO_PCI=m\nCONFIG_SCSI=m\nCONFIG_VIRTIO_NET=m\n"
F2FS = bytes(1024) + b"\x10\x20\xf5\xf2" + bytes(104) + bytes.fromhex(ROOT.replace("-", ""))


def boot_files(root: str, image: bytes) -> dict[str, str | bytes]:
    """A /boot of its own, with the configuration of its kernel."""
    menu = (
        f"menuentry 'Debian GNU/Linux' --class debian --class gnu-linux {{\n search --fs-uuid --set=root {BOOT}\n"
        f" linux /vmlinuz-{VERSION} root={root} ro\n initrd /initrd.img-{VERSION}\n}}\n"
    )
    files = {"grub/grub.cfg": menu, "grub/i386-pc/normal.mod": "", f"config-{VERSION}": CONFIG}
    return files | {f"vmlinuz-{VERSION}": sample_bzimage(), f"initrd.img-{VERSION}": image}


def guest_of(folder: Path, inner: Path, root: str, image: bytes) -> GuestContents:
    boot = filesystem(folder / "boot", boot_files(root, image), uuid=BOOT)
    sectors = inner.stat().st_size // 512
    script = f"label: dos\n1 : start=2048, size=32768, type=83, bootable\n2 : start=34816, size={sectors}, type=83\n"
    size = (34816 + sectors + 2048) * 512
    return open_paths(partitioned(folder / "disk", script, {2048: boot, 34816: inner}, size // MIB * MIB + MIB))


def store_of(guest: GuestContents) -> FactStore:
    (root,) = guest.roots
    return FactStore((root.fs, guest.blocks, root.os, Definition("", ""), CardNames(), load("kvm"), Mover.RAW))


def fates(guest: GuestContents) -> dict[Stage, tuple[str, str]]:
    return {stage.stage: (stage.fate.value, stage.reason) for stage in predict(store_of(guest)).stages}


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LUKS with a root in it."""
    folder = tmp_path_factory.mktemp("container")
    return luks(filesystem(folder / "root", root_files(f"UUID={ROOT} / ext4\n"), uuid=ROOT))


def test_kernel_and_initramfs_beside_a_locked_root(tmp_path: Path, container: Path) -> None:
    image = sample_initramfs(MODULES, CRYPTSETUP)
    guest = guest_of(tmp_path, container, "/dev/mapper/root_crypt", image)
    (root,) = guest.roots
    assert (root.device, root.os.distro, root.os.family) == ("disk1p2", "debian", "debian")
    assert [(mount.point, mount.device) for mount in root.mounts] == [("/", "disk1p2"), ("/boot", "disk1p1")]
    found = fates(guest)
    assert found[Stage.KERNEL] == ("pass", VERSION)
    fate, reason = found[Stage.INITRAMFS]
    assert fate == "unknown"
    assert "drives virtio-blk and opens LUKS; what is in luks-" in reason
    assert found[Stage.UNLOCK][0] == "pass"
    assert "asks for its passphrase" in found[Stage.UNLOCK][1]
    assert found[Stage.MOUNTS] == ("unknown", "disk1p2 is encrypted, and no key given opens it")
    store = store_of(guest)
    assert store.get(Kernels).kernels[0].has("virtio_blk").value == "module"
    assert [layer.parents for layer in store.get(RootStack).layers] == [("disk1p2",)]
    with pytest.raises(FactUnavailable, match="is encrypted"):
        store.get(Modprobe)


@pytest.mark.parametrize("module", [MODULES[0], MODULES[-1]])
def test_what_the_initramfs_lacks_is_told(tmp_path: Path, container: Path, module: str) -> None:
    rest = tuple(name for name in MODULES if name != module)
    image = sample_initramfs(rest, CRYPTSETUP)
    name = module.partition(":")[0].replace("-", "_")
    uuid = open_paths(container).blocks.devices[0].uuid
    for number, more in enumerate(("", f" rd.luks.uuid=luks-{uuid}")):
        (tmp_path / str(number)).mkdir()
        guest = guest_of(tmp_path / str(number), container, f"/dev/mapper/root_crypt{more}", image)
        fate, reason = fates(guest)[Stage.INITRAMFS]
        assert fate == ("fail" if more or name.startswith("virtio") else "unknown"), "no menu says that the root is in there"
        assert name in reason


@pytest.mark.parametrize(("module", "fate"), [("f2fs", "pass"), ("xfs", "fail")])
def test_a_root_without_a_reader(tmp_path: Path, module: str, fate: str) -> None:
    root = tmp_path / "f2fs"
    root.write_bytes(F2FS.ljust(32 * MIB, b"\0"))
    lists = {f"usr/lib/modules/{VERSION}/modules.builtin": "kernel/x.ko\n"}
    guest = guest_of(tmp_path, root, f"UUID={ROOT}", sample_initramfs((*VIRTIO, module), lists))
    found = fates(guest)
    assert found[Stage.KERNEL] == ("pass", VERSION)
    assert found[Stage.INITRAMFS][0] == fate, found
    if fate == "pass":
        assert found[Stage.ROOT] == ("unknown", "disk1p2 cannot be read: F2FS is not supported")
        assert found[Stage.MOUNTS] == ("unknown", "disk1p2 cannot be read: F2FS is not supported")


def test_data_beside_a_root_that_is_open_makes_no_second_one(tmp_path: Path, container: Path) -> None:
    root = filesystem(tmp_path / "open", root_files(f"UUID={ROOT} / ext4\n"), uuid=ROOT)
    assert [one.device for one in open_paths(root, container).roots] == ["disk1"]


def test_without_a_kernel_that_lies_open_there_is_no_root(tmp_path: Path, container: Path) -> None:
    assert open_paths(filesystem(tmp_path / "empty", {"readme": ""}, uuid=BOOT), container).roots == ()
