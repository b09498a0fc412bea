"""Messages of converters and guests, as they are printed, find their explanation."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from v2vlint.cli.main import main
from v2vlint.console.signatures import signatures
from v2vlint.engine.explain import known, predicting
from v2vlint.engine.packs import load_all

# As virt-v2v 2.2 prints them, with its place holders filled in.
FATAL = (
    "virt-v2v: error: inspection could not detect the source guest (or physical machine).",
    "virt-v2v: error: multi-boot operating systems are not supported by virt-v2v. Use the --root option",
    "virt-v2v: error: root device /dev/sdb1 not found.  Roots found were: /dev/sda1",
    "virt-v2v: error: virt-v2v is unable to convert this guest type (linux/arch)",
    "virt-v2v: error: libguestfs thinks this is not an installed operating system (it might be, for example, an installer disk)",
    "virt-v2v: error: inspection of the package database failed for this Linux guest.",
    "virt-v2v: error: could not find bootloader mount point (/boot/efi/EFI): No such file or directory",
    "virt-v2v: error: no bootloader detected",
    "virt-v2v: error: failed to find grub2-mkconfig binary (but Grub2 was detected on guest)",
    "virt-v2v: error: no installed kernel packages were found.",
    "virt-v2v: error: no kernels were found in the bootloader configuration.",
    "virt-v2v: warning: no initrd was found in /boot matching initrd 6.1.",
    "virt-v2v: error: only Xen kernels are installed in this guest.",
    "virt-v2v: error: unable to rebuild initrd (/boot/initrd.img-6.1) because update-initramfs was not found in the guest",
    "virt-v2v: error: not enough free space for conversion on filesystem ‘/boot’.",
    "virt-v2v: error: insufficient free space in the conversion server temporary directory /var/tmp (100 MB).",
    "virt-v2v: error: unable to mount the disk image for writing. This has probably happened because Windows Hibernation",
    "virt-v2v: error: filesystem was mounted read-only, even though we asked for it to be mounted read-write.",
    "virt-v2v: error: could not find key to open LUKS encrypted /dev/sda2.",
    'virt-v2v: warning: /files/etc/fstab/1/spec references unknown device "sda9".',
    "virt-v2v: error: the virtual size of the input disk 1 is not an exact multiple of 512 bytes.",
    "virt-v2v: error: this guest has no non-removable disks",
    "virt-v2v: error: This transport does not support guests with snapshots.",
)
BOOT = (
    "dracut-initqueue[300]: Warning: dracut-initqueue timeout - starting timeout scripts",
    "ALERT!  UUID=0a1b does not exist.  Dropping to a shell!",
    "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
    "You are in emergency mode. After logging in, type journalctl -xb",
    "Fatal glibc error: CPU does not support x86-64-v2",
    "error: no such device: 0a1b-2c3d.",
    "Boot failed: not a bootable disk",
    'BdsDxe: failed to load Boot0001 "UEFI QEMU HARDDISK"',
    "STOP: 0x0000007B",
)


@pytest.mark.parametrize("text", [*FATAL, *BOOT])
def test_every_known_message_has_an_answer(text: str) -> None:
    assert predicting(text, load_all()) or known(text)


@pytest.mark.parametrize("text", ["", "hello", "virt-v2v: error: something entirely new"])
def test_other_text_has_none(text: str) -> None:
    assert not known(text)
    assert not predicting(text, load_all())


def test_no_pattern_answers_everything() -> None:
    assert [one.name for one in signatures() if one.in_text("") or one.in_text("\n\n")] == []


@pytest.mark.skipif(shutil.which("virt-v2v") is None, reason="virt-v2v is not installed")
def test_the_fatal_messages_are_really_in_virt_v2v() -> None:
    binary = Path(str(shutil.which("virt-v2v"))).read_bytes().decode("utf-8", "replace")
    said = [re.split(r"[\(‘:]| matching| device| 1 is|/", text.split(": ", 2)[2])[0].strip(" .") for text in FATAL]
    absent = [words for words in said if words and words.lower() not in binary.lower()]
    assert absent == []


def test_predictions_of_the_installed_rules_are_expressions() -> None:
    for loaded in load_all():
        for pattern in loaded.rule.predicts:
            assert re.compile(pattern).search("") is None


@pytest.mark.parametrize(
    "text",
    [
        "0x7B", "STOP: 0x0000007B (0xF78D2524, 0xC0000034)", "inaccessible boot device", "Status: 0xc000000e", "0xC0000225", "0xc0000034",
        "BOOTMGR is missing", "NTLDR is missing", "Windows cannot verify the digital signature for this file. 0xc0000428",
    ],
)  # fmt: skip
def test_windows_says_why_it_does_not_start(text: str) -> None:
    assert known(text)


def test_a_code_for_the_id_of_a_rule_is_pointed_to_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "0x7B"]) == 2
    assert 'explain --error "0x7B"' in capsys.readouterr().err
