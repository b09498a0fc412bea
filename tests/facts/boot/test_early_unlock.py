"""Key files and crypttabs inside an initramfs, as initramfs-tools, dracut and mkinitcpio write them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.verdicts.asking import FAILS, disk, landing, part, store, told
from v2vlint.facts.boot.early_unlock import EarlyUnlock
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.early_crypttab import EarlyMapping
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.place import WholeFile
from v2vlint.samples.boot import sample_boot, sample_initramfs
from v2vlint.verdicts.root import RootVerdict
from v2vlint.verdicts.unlock import UnlockVerdict

INSIDE = BlockDevice("luks-4a2e-99", "luks", 1 << 30, 0, 0, "ext4", "0f3c-77", parents=("disk1p2",))
BLOCKS = BlockTable((disk(), part(2, "crypto_LUKS", "4a2e-99"), INSIDE))
STACK = RootStack("ext4", INSIDE, (INSIDE,))
ASKS = "luks-4a2e-99 asks for its passphrase on the console"
DRACUT = {"usr/lib/dracut/modules.txt": "crypt\n"}


def unlocking(files: Mapping[str, str], args: str = "root=/dev/mapper/root") -> str:
    """The unlock stage's reason for a guest whose initramfs has ``files``."""
    boot = sample_boot(image=sample_initramfs(files=files), args=args)
    return store(boot, BLOCKS, STACK).get(UnlockVerdict).decisive.reason


@pytest.mark.parametrize(
    ("files", "args", "reason"),
    [
        ({}, "", ASKS),
        ({"cryptroot/crypttab": "root UUID=4a2e-99 none luks\n"}, "", ASKS),
        (
            {"cryptroot/crypttab": "root UUID=4a2e-99 /cryptroot/keyfiles/root.key luks\n"},
            "",
            "root is opened by the key file /cryptroot/keyfiles/root.key, which is not in the initramfs",
        ),
        ({"cryptroot/crypttab": "root UUID=4a2e-99 /FIXME-initramfs-rootmnt/root.key luks\n"}, "", ASKS),
        ({"cryptroot/crypttab": "root UUID=4a2e-99 /root.key luks\n"}, "cryptopts=source=UUID=4a2e-99", ASKS),
        (
            {"cryptroot/crypttab": "root UUID=4a2e-99 none luks\n"},
            "cryptopts=target=r,source=UUID=4a2e-99,key=/dev/disk/by-label/STICK:/k:5,keyscript=/bin/x",
            "r is opened by the key script /bin/x, which is not in the initramfs",
        ),
        (
            {"cryptroot/crypttab": "root UUID=4a2e-99 /cryptroot/keyfiles/root.key luks\n", "cryptroot/keyfiles/root.key": "k"},
            "",
            "luks-4a2e-99 is opened by the key file /cryptroot/keyfiles/root.key in the initramfs",
        ),
        ({"cryptroot/crypttab": "other UUID=77 /x.key luks\n", "x.key": "k"}, "", ASKS),
        (
            {"cryptroot/crypttab": "root /dev/sda2 none luks,keyscript=/bin/unlock\n", "bin/unlock": ""},
            "",
            "luks-4a2e-99 is opened by the key script /bin/unlock in the initramfs",
        ),
        (
            {"cryptroot/crypttab": "root /dev/sda2 none luks,keyscript=/bin/unlock\n"},
            "",
            "root is opened by the key script /bin/unlock, which is not in the initramfs",
        ),
        (
            {"cryptroot/crypttab": "root UUID=4a2e-99 pw luks,keyscript=decrypt_keyctl\n", "lib/cryptsetup/scripts/decrypt_keyctl": ""},
            "",
            ASKS,
        ),
        (
            {"cryptroot/crypttab": "root UUID=4a2e-99 x luks,keyscript=passdev\n", "usr/lib/cryptsetup/scripts/passdev": ""},
            "",
            "luks-4a2e-99 is opened by the key script passdev in the initramfs",
        ),
        ({**DRACUT, "etc/crypttab": "root UUID=4a2e-99 none luks,keyscript=/bin/unlock\n", "bin/unlock": ""}, "", ASKS),
        (
            {**DRACUT, "etc/crypttab": "root UUID=4a2e-99 /k luks,keyscript=/bin/unlock\n", "k": "k"},
            "",
            "luks-4a2e-99 is opened by the key file /k in the initramfs",
        ),
        (
            {"conf/conf.d/cryptroot": "target=root,source=UUID=4a2e-99,key=/k,rootdev\n", "k": "k"},
            "",
            "luks-4a2e-99 is opened by the key file /k in the initramfs",
        ),
        (
            {**DRACUT, "etc/crypttab": "root UUID=4a2e-99 - luks\n", "etc/cryptsetup-keys.d/root.key": "k"},
            "",
            "luks-4a2e-99 is opened by the key file /etc/cryptsetup-keys.d/root.key in the initramfs",
        ),
        ({**DRACUT, "root.key": "k"}, "rd.luks.key=/root.key", "luks-4a2e-99 is opened by the key file /root.key in the initramfs"),
        ({**DRACUT, "root.key": "k"}, "rd.luks.key=/root.key:UUID=4a2e-99", ASKS),
        (
            {**DRACUT, "root.key": "k"},
            "rd.luks.key=/root.key:UUID=77",
            "rd.luks.key=/root.key:UUID=77 has the key of the root on UUID=77, which is on none of the disks",
        ),
        ({**DRACUT, "root.key": "k"}, "rd.luks.key=4a2e-99=/root.key", "luks-4a2e-99 is opened by the key file /root.key in the initramfs"),
        ({**DRACUT, "root.key": "k"}, "rd.luks.key=77aa=/root.key", ASKS),
        ({**DRACUT, "root.key": "k"}, "rd.luks.key=/root.key::UUID=77", ASKS),
        ({"crypto_keyfile.bin": "k"}, "", "luks-4a2e-99 is opened by the key file /crypto_keyfile.bin in the initramfs"),
        ({"my.key": "k"}, "cryptkey=rootfs:/my.key", "luks-4a2e-99 is opened by the key file /my.key in the initramfs"),
    ],
)
def test_what_opens_the_root(files: Mapping[str, str], args: str, reason: str) -> None:
    assert unlocking(files, f"root=/dev/mapper/root {args}") == reason


def test_without_a_boot_menu_nothing_is_known_of_the_initramfs() -> None:
    assert store({}, BLOCKS, STACK).get(EarlyUnlock) == EarlyUnlock()
    assert store({}, BLOCKS, STACK).get(UnlockVerdict).passphrase[0].reason == ASKS


@pytest.mark.parametrize(
    ("source", "prefix", "found"),
    [
        ("/dev/sda2", "vd", [FAILS]),
        ("/dev/sda2", "sd", []),
        ("UUID=4a2e-99", "vd", []),
        ("/dev/sda9", "vd", []),
        ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2", "sd", [FAILS]),
        ("/dev/disk/by-id/ata-X_1-part2", "vd", [FAILS]),
        ("/dev/disk/by-id/ata-X_1-part3", "vd", []),
    ],
)
def test_a_kernel_name_inside_the_initramfs_stops_at_root(source: str, prefix: str, found: list[object]) -> None:
    boot = sample_boot(image=sample_initramfs(files={"cryptroot/crypttab": f"root {source} none luks\n"}), args="root=/dev/mapper/root")
    known = store(boot, BLOCKS, STACK, landing(prefix))
    assert told(known.get(RootVerdict).early) == found


@pytest.mark.parametrize("script", ["passdev", "/lib/cryptsetup/scripts/passdev", "/usr/lib/cryptsetup/scripts/passdev", "/bin/pass"])
def test_a_key_script_behind_links(script: str) -> None:
    """initramfs-tools makes ``lib`` and ``bin`` links of a merged /usr: the script is there by each of its names."""
    links = {"lib": "usr/lib", "bin": "/usr/bin", "usr/bin/pass": "../../lib/cryptsetup/scripts/./passdev"}
    files = frozenset({"usr/lib/cryptsetup/scripts/passdev", *links})
    mapping = EarlyMapping("root", "/dev/sda2", "none", ("luks", f"keyscript={script}"), "cryptroot/crypttab")
    image = WholeFile("/boot/initrd.img")
    assert mapping.key_in(Initramfs(image, files=files, links=links)) == f"the key script {script}"
    assert mapping.key_in(Initramfs(image, files=frozenset(links), links=links)) == ""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/key", "etc/key"), ("etc//./key", "etc/key"), ("/a/key", "etc/key"), ("/b/key", "etc/key"), ("/c", "etc/key"),
        ("/d/key", "etc/key"), ("/etc", None), ("/gone", None), ("/round", None), ("/round/key", None), ("", None), ("/up", "etc/key"),
    ],
)  # fmt: skip
def test_a_path_in_an_image(path: str, found: str | None) -> None:
    links = {
        "a": "etc",
        "b": "/etc",
        "c": "b/key",
        "d": "/a/../b",
        "round": "trip",
        "trip": "round",
        "gone": "nowhere",
        "up": "../../etc/key",
    }
    assert Initramfs(WholeFile("/i"), files=frozenset({"etc/key", *links}), links=links).find(path) == found


STICK = "/dev/disk/by-label/STICK"
NEVER, SHELL = "boot waits for the device for ever", "the initramfs does not ask for a passphrase, and ends in a shell"
LATER = "boot waits for the device, and may ask for a passphrase then"
GONE, RENAMED = "which is on none of the disks", "and no disk there has that name"


@pytest.mark.parametrize(
    ("key", "device", "why", "effect"),
    [
        (f"{STICK}:/k luks,keyscript=passdev", STICK, GONE, NEVER),
        (f"{STICK}:/k: luks,keyscript=passdev", STICK, GONE, NEVER),
        (f"{STICK}:/k:0 luks,keyscript=passdev", STICK, GONE, NEVER),
        (f"{STICK}:/k:x luks,keyscript=passdev", STICK, GONE, NEVER),
        (f"{STICK}:/k:05 luks,keyscript=passdev", STICK, GONE, SHELL),
        (f"{STICK} luks,keyscript=passdev", STICK, GONE, SHELL),
        (f"{STICK}: luks,keyscript=passdev", STICK, GONE, SHELL),
        ("/dev/sdb1:/k luks,keyscript=passdev", "/dev/sdb1", RENAMED, NEVER),
        ("/dev/disk/by-id/wwn-0x5000-part3 luks", "/dev/disk/by-id/wwn-0x5000-part3", RENAMED, SHELL),
    ],
)
def test_a_key_on_a_device_that_does_not_come(key: str, device: str, why: str, effect: str) -> None:
    members = {"cryptroot/crypttab": f"root UUID=4a2e-99 {key}\n", "lib/cryptsetup/scripts/passdev": ""}
    boot = sample_boot(image=sample_initramfs(files=members), args="root=/dev/mapper/root")
    (cause,) = store(boot, BLOCKS, STACK).get(UnlockVerdict).keys
    assert (cause.reason, cause.about) == (f"the key of root is on {device}, {why}", effect)


@pytest.mark.parametrize(
    ("argument", "count"),
    [
        ("rd.luks.key=/k:LABEL=STICK", 1),
        ("rd.luks.key=/k:LABEL=STICK:UUID=4A2E", 1),
        ("rd.luks.key=4a2e-99=/k:LABEL=STICK", 1),
        ("luks.key=luks-4a2e-99=/k:LABEL=STICK", 1),
        ("rd.luks.key=/k:LABEL=STICK:/dev/sda2", 1),
        ("rd.luks.key=/k:LABEL=STICK:LABEL=unknown", 1),
        ("rd.luks.key=/k:LABEL=STICK:UUID=77", 0),
        ("rd.luks.key=/k:LABEL=STICK:/dev/sda", 0),
        ("rd.luks.key=77aa=/k:LABEL=STICK", 0),
        ("rd.luks.key=/k", 0),
        ("cryptkey=LABEL=STICK:vfat:/k", 1),
        ("cryptkey=rootfs:/k", 0),
    ],
)
def test_a_key_on_the_command_line_may_be_for_another_container(argument: str, count: int) -> None:
    found = store(sample_boot(args=f"root=/dev/mapper/root {argument}"), BLOCKS, STACK).get(UnlockVerdict).key_arguments
    assert [(cause.reason, cause.about) for cause in found] == [
        (f"{argument} has the key of the root on LABEL=STICK, which is on none of the disks", LATER)
    ] * count


@pytest.mark.parametrize(("table", "count"), [("cryptroot/crypttab", 1), ("conf/conf.d/cryptroot", 0)])
def test_cryptopts_are_read_by_the_script_of_the_image(table: str, count: int) -> None:
    """That cryptroot gives up a device for want of its key file is known since cryptsetup 2.0.3."""
    args = "root=/dev/mapper/root cryptopts=target=root,source=UUID=4a2e-99,key=/root.key"
    boot = sample_boot(image=sample_initramfs(files={table: "", "conf/initramfs.conf": ""}), args=args)
    known = store(boot, BLOCKS, STACK)
    assert [one.name for one in known.get(EarlyUnlock).mappings] == ["root"]
    assert len(known.get(UnlockVerdict).keys) == count
