"""GRUB itself says which entry starts, and with which arguments: grub-emu(1) runs random configurations."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from tests.facts.boot.grub.emu import Writer, answers, expression, started
from tests.facts.boot.grub.grub_samples import menu
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.grub.files import GrubFiles, GuestPath
from v2vlint.facts.boot.grub.test_command import evaluate
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.samples.memory import MemoryFileSystem

pytestmark = pytest.mark.skipif(not shutil.which("grub-emu"), reason="needs grub-emu")
CONFIGS = int(os.environ.get("V2VLINT_GRUB_CONFIGS", "40"))
ENTRIES = """
menuentry zero { linux /k mark=zero; echo CHOSEN mark=zero END; exit }
menuentry one --id 5ab { linux /k mark=one; echo CHOSEN mark=one END; exit }
menuentry two --id 1x { linux /k mark=two; echo CHOSEN mark=two END; exit }
menuentry 2 --id three { linux /k mark=three; echo CHOSEN mark=three END; exit }
submenu "a>b" --id s {
menuentry in0 { linux /k mark=in0; echo CHOSEN mark=in0 END; exit }
menuentry in1 --id i1 { linux /k mark=in1; echo CHOSEN mark=in1 END; exit }
}
"""
DEFAULTS = (
    "5ab", "1x", "0x1", " 1", "1 ", "2", "4>1", "4>i1", "s>i1", "a>>b>i1", "a>b>i1", "1>1", "-1", "1foo", "99", "", "two", "two>x", "3>",
    "s>9", "s>nope", "010", "4>1>0", "18446744073709551617", "0x",
)  # fmt: skip


def _ours(files: dict[str, str]) -> str | None:
    entry = menu({f"/boot/grub/{name}": text for name, text in files.items()}).default
    return _words(entry) if entry else None


def _words(entry: BootEntry) -> str:
    return " ".join(" ".join(map(str, entry.args)).split())


def test_the_entry_that_starts(tmp_path: Path) -> None:
    told = 0
    for seed in range(CONFIGS):
        files = Writer(seed).files()
        ours = _ours(files)
        if ours is not None and (theirs := started(tmp_path / str(seed), files)):
            assert ours == theirs, (seed, files)
            told += 1
    assert told > CONFIGS // 2


@pytest.mark.parametrize("default", DEFAULTS)
def test_numbers_and_names(default: str, tmp_path: Path) -> None:
    files = {"grub.cfg": f"set timeout=0\nset default='{default}'\n{ENTRIES}"}
    assert _ours(files) == started(tmp_path, files)


@pytest.mark.parametrize(
    "text",
    [
        "set a=1\nset b=2\nexport b\nsubmenu x { menuentry y { linux /k mark=$a$b; echo CHOSEN mark=$a$b END; exit } }\n",
        "set default=1\nset a=1\nexport prefix\nconfigfile $prefix/more.cfg\n",
        "menuentry x { configfile $prefix/more.cfg }\nset default=0\n",
        "submenu x { set default=1\n"
        "menuentry y { true }\nmenuentry z { linux /k mark=z; echo CHOSEN mark=z END; exit } }\nset default='0>0'\n",
        "set default=1\nmenuentry x { true }\nsource $prefix/more.cfg\n",
    ],
)
def test_what_a_menu_inside_sees(text: str, tmp_path: Path) -> None:
    more = "".join(f"menuentry m{i} {{ linux /k mark=m{i}$a; echo CHOSEN mark=m{i}$a END; exit }}\n" for i in range(3))
    files = {"grub.cfg": f"set timeout=0\n{text}", "more.cfg": f"set timeout=0\n{more}"}
    assert _ours(files) == started(tmp_path, files)


FILE_TESTS = (
    "-e (hd0)/dangling", "-f (hd0)/dangling", "-d (hd0)/dlink", "-f (hd0)/dlink", "-d (hd0)/d/", "-f (hd0)/link",
    "-s (hd0)/link", "-s (hd0)/dlink", "-e (hd0)/dlink/in", "-s (hd0)/empty", "-e (hd0)/empty", "-e (hd0)/none",
    "-f (hd0)/d", "-d (hd0)/", "-e (hd0)//", "(hd0)/new -nt (hd0)/old", "(hd0)/old -nt (hd0)/new",
    "(hd0)/old -ot (hd0)/new", "(hd0)/old -nt9 (hd0)/new", "(hd0)/old -nt10 (hd0)/new", "(hd0)/old -nt11 (hd0)/new",
    "(hd0)/new -nt (hd0)/none", "(hd0)/none -nt (hd0)/new", "(hd0)/none -ot (hd0)/new", "(hd0)/none -ot (hd0)/nor",
    "(hd0)/new -ot-11 (hd0)/old", "(hd0)/new -ot-10 (hd0)/old", "! -e (hd0)/none -a -s (hd0)/old",
)  # fmt: skip


def test_random_tests(tmp_path: Path) -> None:
    tests = [expression(random.Random(seed)) for seed in range(300)]
    theirs = answers(tmp_path, [" ".join(f"'{word}'" for word in test) for test in tests])
    ours = [evaluate(test, lambda name: GuestPath(name, exists=False))(GuestFS({})) for test in tests]
    assert dict(zip(map(str, tests), ours, strict=True)) == dict(zip(map(str, tests), theirs, strict=True))


def test_tests_of_files(tmp_path: Path) -> None:
    need("mke2fs")
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    for name, text, time in (("old", "x", 1577836800.5), ("new", "y", 1577836810), ("empty", "", 1577836800), ("d/in", "z", 0)):
        (tree / name).write_text(text)
        os.utime(tree / name, (time, time))
    for name, target in (("link", "old"), ("dangling", "nowhere"), ("dlink", "d")):
        (tree / name).symlink_to(target)
    disk = blank(tmp_path / "disk", 8 << 20)
    run("mke2fs", "-q", "-F", "-d", tree, disk)
    stream = HostFile(str(disk))
    system = open_filesystem(probe(stream), [stream])
    blocks = BlockTable((BlockDevice("disk1", "disk", 8 << 20, 0, fs_type="ext2", uuid=system.uuid),))
    files = GrubFiles(GuestFS({"/": system}), blocks)
    ours = {test: evaluate(test.split(), lambda name: files.locate(name, ""))(files.fs) for test in FILE_TESTS}
    assert ours == dict(zip(FILE_TESTS, answers(tmp_path / "grub", list(FILE_TESTS), disk), strict=True))


@pytest.mark.parametrize(
    ("words", "answer"),
    [("/x -nt /x", None), ("/x -nt /gone", True), ("/gone -ot /e/y", True), ("/ -nt /gone", None), ("/e/y -ot /x", None)],
)
def test_times_that_are_not_known(words: str, answer: bool | None) -> None:
    fs = GuestFS({"/": MemoryFileSystem({"/x": b""}, "vfat"), "/e": MemoryFileSystem({"/y": b""}, "ext4")})
    assert evaluate(words.split(), lambda name: GuestPath(name, exists=fs.exists(name)))(fs) is answer
