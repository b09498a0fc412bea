"""GRUB itself says which entry starts, and with which arguments: grub-emu(1) runs random configurations."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.facts.boot.grub.emu import Writer, started
from tests.facts.boot.grub.grub_samples import menu
from v2vlint.facts.boot.entry import BootEntry

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
