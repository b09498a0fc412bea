"""Windows edits as operations: each is checked against the guest first, and volumes that sleep or are dirty are left alone."""

from __future__ import annotations

import base64

import pytest

from v2vlint.fixing.operations import RootWork, build
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.codec import decode, encode
from v2vlint.model.fix import Applicability, Edit, Fix, RegistryDeleteKey, RegistrySet, WriteData
from v2vlint.model.registry import dword, sz
from v2vlint.model.rule import Content, Hive
from v2vlint.samples.memory import MemoryFileSystem
from v2vlint.samples.regf import make_hive

SYSTEM = "/Windows/System32/config/SYSTEM"
TEXT = '[Select]\n"Current"=dword:1\n[ControlSet001\\Services\\viostor]\n"Start"=dword:3\n[Old]\n@="x"\n'
FILES: dict[str, Content] = {SYSTEM: Hive(TEXT), "/Windows/System32/drivers/viostor.sys": b"old"}
START = RegistrySet("/windows/system32/config/system", "CurrentControlSet\\Services\\viostor", "Start", dword(0), dword(3))
OLD = RegistryDeleteKey(SYSTEM, "Old", (("", sz("x")),))
OLD_DIGEST = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"


def guest(**files: Content) -> GuestFS:
    """An NTFS with the files above and these (named without slashes)."""
    extra = {f"/{name.replace('_', '.')}": content for name, content in files.items()}
    return GuestFS({"/": MemoryFileSystem({**FILES, **extra}, type="ntfs", uuid="1234")})


def work(fs: GuestFS, *edits: Edit, blocks: tuple[BlockDevice, ...] = ()) -> RootWork:
    """What one fix with these edits becomes."""
    return build(fs, BlockTable(blocks), [Fix("repair it", Applicability.SAFE, edits)])


def test_edits_of_one_hive_are_one_operation() -> None:
    done = work(guest(), START, OLD)
    assert done.windows
    (operation,) = done.operations
    assert operation == {
        "op": "registry",
        "path": "/windows/system32/config/system",
        "edits": [
            {
                "key": ["ControlSet001", "Services", "viostor"],
                "name": "Start",
                "type": 4,
                "data": "AAAAAA==",
                "expect": {"type": 4, "data": "AwAAAA=="},
            },
            {"key": ["Old"], "delete": True, "expect": [{"name": "", "type": 1, "data": "eAAAAA=="}]},
        ],
    }
    assert '-"Start"=dword:00000003\n+"Start"=dword:00000000\n' in done.diff


def test_binary_files_travel_whole() -> None:
    content = bytes(range(256)) * 400
    edits: tuple[Edit, ...] = (
        WriteData("/Windows/new.sys", content),
        WriteData("/Windows/System32/drivers/viostor.sys", content, OLD_DIGEST),
    )
    fix = Fix("bring it", Applicability.UNSAFE, edits)
    assert decode(Fix, encode(fix)) == fix
    done = work(guest(), *edits)
    assert [
        (op["op"], op["path"], base64.b64decode(op["data"]) == content)
        for op in done.operations
        if op["op"] == "create" or op["op"] == "overwrite"
    ] == [
        ("create", "/Windows/new.sys", True),
        ("overwrite", "/Windows/System32/drivers/viostor.sys", True),
    ]
    assert "write 102400 bytes to /Windows/new.sys\n" in done.diff


def unclean() -> bytes:
    """A hive whose second sequence number lags behind."""
    data = bytearray(make_hive(TEXT))
    data[4] += 1
    return bytes(data)


NTFS = BlockDevice("disk1p2", "partition", 1, 0, fs_type="ntfs", uuid="1234", details=(("dirty", "yes"),))
ENCRYPTED = BlockDevice("bitlocker-disk1p2", "bitlocker", 1, 0, fs_type="ntfs", uuid="1234", parents=("disk1p2",))
DYNAMIC = BlockDevice("ldm_vol_PC-Dg0_Volume1", "ldm", 1, 0, fs_type="ntfs", uuid="1234", parents=("disk1",))


@pytest.mark.parametrize(
    ("fs", "edit", "blocks", "reason"),
    [
        (guest(hiberfil_sys=b"HIBR" + bytes(100)), START, (), "fast startup"),
        (guest(hiberfil_sys=b"rstr"), WriteData("/x", b"x"), (), "hibernated"),
        (guest(), WriteData("/x", b"x"), (NTFS,), "not shut down cleanly"),
        (guest(), START, (ENCRYPTED,), "lies under BitLocker"),
        (guest(), START, (DYNAMIC,), "lies on a dynamic disk"),
        (GuestFS({"/": MemoryFileSystem({SYSTEM: unclean()}, type="ntfs")}), START, (), "log files"),
        (GuestFS({"/": MemoryFileSystem({SYSTEM: b"x" * 600}, type="ntfs")}), START, (), "not a registry hive"),
        (GuestFS({"/": MemoryFileSystem({"/Windows/x": b""}, type="ntfs")}), START, (), "is absent"),
        (guest(), RegistrySet(SYSTEM, "Old", "", sz("y"), sz("z")), (), 'no longer reads "z"'),
        (guest(), WriteData("/Windows/System32/drivers/viostor.sys", b"new"), (), "exists already"),
        (guest(), WriteData("/Windows/System32/drivers/viostor.sys", b"new", "0" * 64), (), "not what was checked"),
    ],
)
def test_what_must_not_be_written_is_refused(fs: GuestFS, edit: Edit, blocks: tuple[BlockDevice, ...], reason: str) -> None:
    done = work(fs, edit, blocks=blocks)
    assert not done.operations
    assert [reason in words for _fix, words in done.refused] == [True]


@pytest.mark.parametrize("head", [bytes(4), b"wake", b"WAKE"])
def test_a_hibernation_file_that_is_used_up_does_not_matter(head: bytes) -> None:
    assert work(guest(hiberfil_sys=head), START).taken
