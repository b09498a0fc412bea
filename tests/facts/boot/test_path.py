"""Which kernel starts, and whether it reaches the root disk."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.path import BootPath, BootPaths, Means, ModuleFate, lacking
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.storage.root_stack import RootStack, find_root_stack
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Controller, Nic
from v2vlint.samples.boot import EXT4, SCSI, VERSION, VIRTIO, sample_boot, sample_bzimage, sample_initramfs, sample_kernel
from v2vlint.samples.memory import MemoryFileSystem

IMAGE = f"/boot/initrd.img-{VERSION}"
BLK = Controller("virtio-blk", "vd", (("virtio_blk", "virtio_pci"),))
SCSI_HOST = Controller("virtio-scsi", "sd", (("virtio_scsi",),))
EITHER = Controller("any", "sd", (("ahci",), ("virtio_scsi",)))
KMOD: Files = {"/usr/bin/kmod": ""}


def _path(files: Files) -> BootPath:
    return next(fact(BootPaths, files).defaults)


def _fate(files: Files, module: str = "virtio_blk") -> ModuleFate:
    return _path(files).module(module)


def _with(image: bytes = b"", modules: tuple[str, ...] = (*VIRTIO, *SCSI, *EXT4), builtin: tuple[str, ...] = (), args: str = "ro") -> Files:
    return sample_boot(sample_kernel(modules, builtin), image or sample_initramfs(), args)


@pytest.mark.parametrize(
    ("files", "means", "reason", "where"),
    [
        (_with(), Means.IMAGE, "is in the initramfs", IMAGE),
        (_with(builtin=("virtio_blk",)), Means.BUILTIN, "is built in", f"/boot/vmlinuz-{VERSION}"),
        (_with(modules=(), image=sample_initramfs(())), Means.ABSENT, f"is not part of kernel {VERSION}", f"/boot/vmlinuz-{VERSION}"),
        (_with(sample_initramfs(("ext4",))), Means.DISK, "is not in the initramfs", IMAGE),
        (
            _with(sample_initramfs(("virtio_blk: virtio_ring",))),
            Means.DISK,
            "is in the initramfs, but virtio_ring, which it depends on, is not",
            IMAGE,
        ),
        (_with(sample_initramfs(version="5.10.0")), Means.DISK, "is not in the initramfs", IMAGE),
        (
            _with(newc({"init": b"", "etc/x": b""})),
            Means.UNKNOWN,
            f"cannot be told: {IMAGE} holds no modules, and is of an unknown make",
            IMAGE,
        ),
        (
            _with(args="ro module_blacklist=floppy,virtio_blk"),
            Means.BLOCKED,
            "is blocked by module_blacklist=floppy,virtio_blk",
            "",
        ),
        (_with(args="ro module_blacklist=virtio"), Means.BLOCKED, "is blocked by module_blacklist=virtio", ""),
        (_with(args="ro modprobe.blacklist=virtio_blk"), Means.BLOCKED, "is blocked by modprobe.blacklist=virtio_blk", ""),
        (_with(args="ro modprobe.blacklist=virtio-blk"), Means.IMAGE, "is in the initramfs", IMAGE),
        (_with(args="ro rd.driver.blacklist=virtio_blk"), Means.BLOCKED, "is blocked by rd.driver.blacklist=virtio_blk", ""),
        (_with(args="ro modprobe.blacklist=virtio"), Means.IMAGE, "is in the initramfs", IMAGE),
        (
            _with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": "install virtio_blk /bin/false\n"})),
            Means.BLOCKED,
            "is disabled by `install virtio_blk /bin/false` in the initramfs",
            IMAGE,
        ),
        (
            _with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": "install virtio_ring /bin/false\n"})),
            Means.BLOCKED,
            "needs virtio_ring, which is disabled by `install virtio_ring /bin/false` in the initramfs",
            IMAGE,
        ),
        (
            _with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": "blacklist virtio_blk\n"})),
            Means.BLOCKED,
            "is blocked by `blacklist virtio_blk` in the initramfs",
            IMAGE,
        ),
        (_with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": "blacklist virtio_ring\n"})), Means.IMAGE, "is in the initramfs", IMAGE),
        (
            _with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": "blacklist virtio_blk\n", "conf/modules": "# x\nvirtio-blk\n"})),
            Means.IMAGE,
            "is in the initramfs",
            IMAGE,
        ),
        (
            _with(
                sample_initramfs(VIRTIO, {"usr/lib/dracut/modules.txt": "", "etc/modprobe.d/a.conf": "blacklist virtio_blk\n"}),
                args="ro rd.driver.pre=virtio_blk",
            ),
            Means.IMAGE,
            "is in the initramfs",
            IMAGE,
        ),
        (
            _with(
                sample_initramfs(
                    VIRTIO,
                    {
                        "usr/lib/dracut/modules.txt": "",
                        "etc/modprobe.d/a.conf": "blacklist virtio_blk\n",
                        "etc/cmdline.d/20-force.conf": "rd.driver.pre=nvme,virtio_blk\n",
                    },
                )
            ),
            Means.IMAGE,
            "is in the initramfs",
            IMAGE,
        ),
    ],
)
def test_where_a_module_comes_from(files: Files, means: Means, reason: str, where: str) -> None:
    fate = _fate(files)
    assert (fate.means, fate.reason) == (means, reason)
    assert str(fate.where) == where or (not where and str(fate.where).startswith("/boot/grub/grub.cfg:2:"))
    assert fate.usable is {Means.BUILTIN: True, Means.IMAGE: True, Means.UNKNOWN: None}.get(means, False)


def test_a_blocked_module_points_at_the_guest_s_own_line() -> None:
    line = "install virtio_blk /bin/false\n"
    files = {**_with(sample_initramfs(VIRTIO, {"etc/modprobe.d/a.conf": line})), **KMOD, "/etc/modprobe.d/a.conf": f"#\n{line}"}
    assert str(_fate(files).where) == "/etc/modprobe.d/a.conf:2:1"


def test_without_an_initramfs_only_the_built_in_helps() -> None:
    path = _path(sample_boot(sample_kernel(("ext4",), ("virtio_blk",)), b""))
    assert path.image is None
    assert (path.module("virtio_blk").means, path.module("ext4").means) == (Means.BUILTIN, Means.DISK)
    assert path.module("ext4").reason == "is a module, and the kernel starts without an initramfs"


def test_a_damaged_image_leaves_absence_open() -> None:
    path = _path({**_with(), IMAGE: sample_initramfs(("virtio_blk", "ext4"))[:-400]})
    assert path.module("virtio_blk").usable
    assert path.module("virtio_pci").means is Means.UNKNOWN


def test_a_kernel_without_lists_is_judged_by_its_image() -> None:
    files = {path: data for path, data in _with().items() if not path.startswith("/lib/modules")}
    assert (_fate(files).means, _fate(files, "nvme").means) == (Means.IMAGE, Means.UNKNOWN)


def test_the_image_s_own_list_of_built_in_modules_counts() -> None:
    image = sample_initramfs(("ext4",), {f"usr/lib/modules/{VERSION}/modules.builtin": "kernel/virtio_blk.ko\n"})
    assert _fate(_with(image, modules=("virtio_blk",))).means is Means.BUILTIN


def test_controllers_are_completed_with_bus_and_disk_driver() -> None:
    modules = ("virtio_scsi", "virtio_pci", "sd_mod")
    path = _path(_with(sample_initramfs(modules), modules))
    assert [fate.module for fate in path.controller(SCSI_HOST).fates] == ["virtio_scsi", "virtio_pci", "sd_mod"]
    assert path.controller(SCSI_HOST).usable
    lame = _path(_with(sample_initramfs(("virtio_scsi", "virtio_pci")), modules))
    assert [str(fate) for fate in lame.controller(SCSI_HOST).failing()] == ["sd_mod is not in the initramfs"]


def test_the_best_alternative_counts() -> None:
    path = _path(_with(sample_initramfs(("virtio_scsi", "virtio_pci", "sd_mod")), ("virtio_scsi", "virtio_pci", "sd_mod")))
    assert path.controller(EITHER).usable
    poor = _path(_with(sample_initramfs(("virtio_pci", "sd_mod")), ("virtio_scsi", "virtio_pci", "sd_mod")))
    assert [fate.means for fate in poor.controller(EITHER).failing()] == [Means.DISK], "rather rebuild than lack"
    assert poor.any_of("nothing", ()).usable


@pytest.mark.parametrize(
    ("modules", "builtin", "expected"),
    [
        (("ahci", "sd_mod"), (), ()),
        ((), ("ahci", "sd_mod"), ()),
        (("virtio_scsi", "virtio_pci"), (), ("sd_mod",)),
        (("x",), (), ("ahci", "sd_mod")),
    ],
)
def test_what_a_kernel_lacks(modules: tuple[str, ...], builtin: tuple[str, ...], expected: tuple[str, ...]) -> None:
    (kernel,) = fact(Kernels, sample_kernel(modules, builtin))
    assert lacking(kernel, EITHER.any_of, "sd") == expected


def test_what_a_kernel_lacks_may_be_unknown() -> None:
    (kernel,) = fact(Kernels, {"/boot/vmlinuz-1.0": sample_bzimage("1.0")})
    assert lacking(kernel, BLK.any_of, "vd") is None
    assert lacking(kernel, ()) == ()


@pytest.mark.parametrize(
    ("extra", "image", "means"),
    [
        ({}, sample_initramfs(("ext4",)), Means.INSTALLED),
        ({}, sample_initramfs(("e1000",)), Means.IMAGE),
        ({"/etc/modprobe.d/a.conf": "blacklist e1000\n"}, sample_initramfs(("ext4",)), Means.BLOCKED),
        ({"/etc/modprobe.d/a.conf": "blacklist e1000\n"}, sample_initramfs(("e1000",)), Means.IMAGE),
        ({"/etc/modprobe.d/a.conf": "install e1000 /bin/true\n"}, sample_initramfs(("ext4",)), Means.BLOCKED),
    ],
)
def test_network_drivers_come_from_the_disk_too(extra: Files, image: bytes, means: Means) -> None:
    path = _path({**_with(image, modules=("e1000", "ext4")), **KMOD, **extra})
    assert [fate.means for fate in path.network(Nic("e1000", (("e1000",),))).fates] == [means]
    assert path.network(Nic("vmxnet3", (("vmxnet3",), ("e1000",)))).usable is (means is not Means.BLOCKED)


def test_the_root_filesystem_and_its_layers() -> None:
    stack = RootStack("ext3", None, tuple(BlockDevice(kind, kind, 1, 0, details=(("level", "raid1"),)) for kind in ("lv", "luks", "md")))
    path = _path(_with(sample_initramfs(("ext4", "dm_mod", "raid1")), ("ext4", "dm_mod", "dm_crypt", "md_mod", "raid1")))
    assert path.root_filesystem(stack).usable
    assert [fate.module for fate in path.layers(stack).failing()] == ["dm_crypt", "md_mod"]
    assert path.root_filesystem(RootStack("")).fates == ()


def test_a_blacklisted_filesystem_is_loaded_by_name() -> None:
    image = sample_initramfs(EXT4, {"etc/modprobe.d/a.conf": "blacklist ext4\n"})
    assert _path(_with(image)).root_filesystem(RootStack("ext4")).usable


def test_the_stack_under_the_root_is_found_by_uuid() -> None:
    blocks = BlockTable(
        (
            BlockDevice("disk1", "disk", 9, 0),
            BlockDevice("disk1p1", "partition", 9, 0, 1, "linux_raid_member", "aa", parents=("disk1",)),
            BlockDevice("md/0", "md", 9, 0, fs_type="crypto_LUKS", uuid="bb", parents=("disk1p1",), details=(("level", "raid5"),)),
            BlockDevice("luks-bb", "luks", 9, 0, fs_type="LVM2_member", uuid="cc", parents=("md/0",)),
            BlockDevice("vg/root", "lv", 9, 0, fs_type="xfs", uuid="0a1b", parents=("luks-bb",)),
        )
    )
    stack = find_root_stack(GuestFS({"/": MemoryFileSystem({}, "xfs", "0A1B")}), blocks)
    assert stack.device is not None
    assert stack.device.name == "vg/root"
    assert [layer.name for layer in stack.layers] == ["vg/root", "luks-bb", "md/0"]
    assert stack.layer_modules == ("dm_mod", "dm_crypt", "md_mod", "raid456")
    assert stack.fs_modules == (("xfs",),)
    assert find_root_stack(GuestFS({"/": MemoryFileSystem({}, "ext4")}), blocks) == RootStack("ext4")


ENTRY = "menuentry '{0}' {{\n\tlinux /boot/vmlinuz-{1} ro\n\tinitrd /boot/initrd.img-{1}\n}}\n"


def _two(default: str = "") -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {**sample_kernel(), **sample_kernel(version="5.10.0")}
    files["/boot/grub/grub.cfg"] = default + ENTRY.format("New", VERSION) + ENTRY.format("Old", "5.10.0")
    files[IMAGE] = sample_initramfs(("ext4",))
    files["/boot/initrd.img-5.10.0"] = sample_initramfs(version="5.10.0")
    return files


def test_the_loader_s_default_is_the_choice() -> None:
    choices = fact(BootChoices, _two("set default=1\n"))
    assert choices.default is not None
    assert (choices.default.title, choices.default.version, choices.assumed) == ("Old", "5.10.0", False)
    assert choices.default.initrd_where == WholeFile("/boot/initrd.img-5.10.0")
    assert [choice.title for choice in choices.others] == ["New"]


def test_without_a_loader_the_newest_kernel_is_assumed() -> None:
    files = {path: data for path, data in _two().items() if "grub" not in path}
    choices = fact(BootChoices, files)
    assert choices.default is not None
    assert (choices.default.version, choices.default.initrds, choices.assumed) == (VERSION, (IMAGE,), True)
    assert [choice.version for choice in choices.others] == ["5.10.0"]
    assert fact(BootChoices, {}).default is None


def test_recovery_entries_of_the_same_kernel_are_no_choice_of_their_own() -> None:
    files = _two()
    recovery = ENTRY.format("New (recovery mode)", VERSION).replace(" ro", " ro single")
    choices = fact(BootChoices, {**files, "/boot/grub/grub.cfg": f"{files['/boot/grub/grub.cfg']!s}{recovery}"})
    assert [(choice.title, choice.rescue) for choice in (*choices.defaults, *choices.others)] == [("New", False), ("Old", False)]


def test_a_missing_kernel_has_no_path_and_a_missing_initramfs_no_image() -> None:
    files = _two()
    del files[IMAGE]
    # GRUB says that there is no such file, and starts the kernel.
    assert [path.image for path in fact(BootPaths, files).defaults] == [None]
    del files[f"/boot/vmlinuz-{VERSION}"]
    assert fact(BootPaths, files).choices.defaults[0].kernel is None


def test_a_way_back() -> None:
    paths = fact(BootPaths, _two())
    found = paths.way_back([BLK])
    assert found is not None
    assert found.title == "Old"
    assert paths.way_back([Controller("nvme", "nvme", (("nvme",),))]) is None
    unreadable = fact(BootPaths, {**_two(), "/boot/initrd.img-5.10.0": b"-rom1fs-" + bytes(90)})
    assert unreadable.way_back([BLK]) is None


def test_an_unknowable_image_makes_the_path_unknown() -> None:
    paths = fact(BootPaths, {**_with(), IMAGE: b"-rom1fs-" + b"x" * 2000})
    with pytest.raises(FactUnavailable, match="romfs"):
        next(paths.defaults)


def test_paths_are_made_once() -> None:
    paths = fact(BootPaths, _two())
    assert next(paths.defaults) is next(paths.defaults)


@pytest.mark.parametrize(
    ("segments", "modules"),
    [
        ("", ()),
        ("striped", ()),
        ("raid1,striped", ("dm_raid", "raid1")),
        ("raid10_near", ("dm_raid", "raid10")),
        ("raid0_meta", ("dm_raid", "raid0")),
        ("raid6_ls_6,striped", ("dm_raid", "raid456")),
        ("mirror", ("dm_mirror",)),
        ("raid1,striped,thin,thin-pool", ("dm_raid", "raid1", "dm_thin_pool")),
        ("cache,cache-pool,linear", ("dm_cache", "dm_cache_smq")),
        ("snapshot,striped", ("dm_snapshot",)),
        ("writecache", ("dm_writecache",)),
    ],
)
def test_volumes_of_lvm_need_their_targets(segments: str, modules: tuple[str, ...]) -> None:
    """The targets that lvm2 asks the kernel for by kind of segment, and what these need (drivers/md)."""
    volume = BlockDevice("vg/root", "lv", 1, 0, details=(("segments", segments),))
    assert RootStack("ext4", volume, (volume,)).layer_modules == ("dm_mod", *modules)
