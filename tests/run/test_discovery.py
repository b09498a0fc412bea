"""A folder of everything becomes guests: machines with their disks, images by themselves, and the rest with a reason."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.run.discovery import Found
from v2vlint.run.settings import Access
from v2vlint.source.tree import EVERYTHING, Search

VMX = 'displayName = "web"\nscsi0.present = "TRUE"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "{disk}"\n'
DOMAIN = """<domain type='kvm'><name>db</name><memory>1</memory><devices><disk type='file' device='disk'>
<driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


def image(path: Path, kind: str = "qcow2", options: str = "", backing: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    below = ["-b", backing, "-F", kind] if backing else []
    more = ["-o", options] if options else []
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, *more, *below, str(path), *([] if backing else ["2M"])], check=True)
    return path


def find(*names: str | Path, search: Search = EVERYTHING) -> Found:
    return Access(search=search).find([str(name) for name in names])


def told(found: Found, folder: Path) -> tuple[set[str], dict[str, str]]:
    """Guests and what else was seen, by path in the folder."""
    reasons = {os.path.relpath(one.path, folder): one.reason.replace(f"{folder}/", "") for one in found.not_judged}
    return {os.path.relpath(ref.name, folder) for ref in found.guests}, reasons


def test_machines_own_their_disks_chains_and_pieces_are_one_and_the_rest_is_listed(tmp_path: Path) -> None:
    image(tmp_path / "esx/web/web.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse")
    (tmp_path / "esx/web/web.vmx").write_text(VMX.format(disk="web.vmdk"))
    (tmp_path / "esx/web/web.nvram").write_bytes(b"x")
    (tmp_path / "esx/web/web.log").write_bytes(b"x")
    image(tmp_path / "esx/web/old/forgotten.vmdk", "vmdk")
    image(tmp_path / "kvm/disks/db.qcow2")
    (tmp_path / "kvm/db.xml").write_text(DOMAIN.format(disk=tmp_path / "kvm/disks/db.qcow2"))
    (tmp_path / "kvm/pom.xml").write_text("<project/>")
    image(tmp_path / "chain/base.qcow2")
    image(tmp_path / "chain/now.qcow2", backing="base.qcow2")
    image(tmp_path / "glance/6f9d7a8e")
    (tmp_path / "big.tar").write_bytes(bytes(2 << 20))
    (tmp_path / "README").write_text("hello")
    (tmp_path / "gone-s001.vmdk").write_bytes(b"x")
    (tmp_path / ".snapshot").mkdir()
    guests, reasons = told(find(tmp_path), tmp_path)
    assert guests == {"esx/web/web.vmx", "esx/web/old/forgotten.vmdk", "kvm/db.xml", "chain/now.qcow2", "glance/6f9d7a8e"}
    assert reasons == {
        "esx/web/web.nvram": "a list of snapshots of VMware's, which is not read: give the .vmx file beside it",
        "esx/web/web.log": "neither a disk image nor the definition of a machine, by its name",
        "kvm/pom.xml": "not the definition of a machine",
        "chain/base.qcow2": "what chain/now.qcow2 builds on",
        "big.tar": "neither a disk image nor the definition of a machine, by its name and content",
        "README": "neither a disk image nor the definition of a machine, by its name",
        "gone-s001.vmdk": "part of a VMDK, and no descriptor here names it",
        ".snapshot": "its name starts with a dot",
    }


def test_a_definition_that_cannot_be_read_hides_no_disk(tmp_path: Path) -> None:
    image(tmp_path / "web.vmdk", "vmdk")
    (tmp_path / "web.ovf").write_text("<broken")
    assert told(find(tmp_path), tmp_path)[0] == {"web.vmdk", "web.ovf"}


def test_two_definitions_of_the_same_disks_are_one_machine(tmp_path: Path) -> None:
    image(tmp_path / "web.vmdk", "vmdk")
    (tmp_path / "web.vmx").write_text(VMX.format(disk="web.vmdk"))
    (tmp_path / "web.xml").write_text(DOMAIN.format(disk="web.vmdk"))
    guests, reasons = told(find(tmp_path), tmp_path)
    assert guests == {"web.vmx"}
    assert reasons["web.xml"] == "describes the disks of web.vmx again"


def test_a_guest_with_many_names_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = image(tmp_path / "a/one.qcow2")
    (tmp_path / "a/hard.qcow2").hardlink_to(one)
    (tmp_path / "a/soft.qcow2").symlink_to("one.qcow2")
    monkeypatch.chdir(tmp_path)
    found = find("a/one.qcow2", one, "a/../a/soft.qcow2", "a")
    assert [ref.name for ref in found.guests] == ["a/one.qcow2"]
    assert {said.reason for said in found.not_judged} == {"the same as a/one.qcow2"}


def test_links_are_not_followed_out_and_a_broken_one_is_a_problem(tmp_path: Path) -> None:
    image(tmp_path / "other/far.qcow2")
    (tmp_path / "here").mkdir()
    for name, to in (("out.qcow2", "../other/far.qcow2"), ("dangling.qcow2", "gone"), ("loop", "."), ("notes.txt", "gone")):
        (tmp_path / "here" / name).symlink_to(to)
    found = find(tmp_path / "here")
    assert {ref.problem.rpartition(": ")[2].split(",")[0] for ref in found.guests} == {
        "a link that leads nowhere",
        "a link that leads out of the folder",
    }
    assert {Path(said.path).name: said.reason for said in found.not_judged} == {
        "loop": "a link to a folder, which is not followed",
        "notes.txt": "a link that leads nowhere",
    }


def test_depth_and_globs(tmp_path: Path) -> None:
    for name in ("a.qcow2", "x/b.qcow2", "x/y/c.qcow2", "x/y/c.raw.img"):
        image(tmp_path / name)
    everything = {"a.qcow2", "x/b.qcow2", "x/y/c.qcow2", "x/y/c.raw.img"}
    assert told(find(tmp_path), tmp_path)[0] == everything
    assert told(find(tmp_path, search=Search(0)), tmp_path) == ({"a.qcow2"}, {"x": "a folder deeper than the search goes (--depth)"})
    assert told(find(tmp_path, search=Search(1)), tmp_path)[0] == {"a.qcow2", "x/b.qcow2"}
    assert told(find(tmp_path, search=Search(include=("*.img",))), tmp_path)[0] == {"x/y/c.raw.img"}
    assert told(find(tmp_path, search=Search(exclude=("x/y",))), tmp_path)[0] == {"a.qcow2", "x/b.qcow2"}


def test_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a b.qcow2", "c.qcow2", "@c.qcow2"):
        image(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    Path("lines").write_text("# ours\n\n  a b.qcow2  \nc.qcow2\nmissing.qcow2\n")
    Path("zeros").write_bytes(b"a b.qcow2\0@c.qcow2\0")
    # Windows: a byte order mark, CRLF, and UTF-16, whose NUL bytes separate nothing.
    for name, codec in (("notepad", "utf-8-sig"), ("powershell", "utf-16"), ("other-end", "utf-16-be")):
        Path(name).write_bytes((b"\xfe\xff" if name == "other-end" else b"") + "# ours\r\n\r\na b.qcow2\r\nc.qcow2".encode(codec))
        assert [(ref.name, ref.problem) for ref in find(f"@{name}").guests] == [("a b.qcow2", ""), ("c.qcow2", "")]
    Path("odd").write_bytes(b"\xff\xfea\0b")
    with pytest.raises(UsageError, match="UTF-16"):
        find("@odd")
    assert [(ref.name, ref.problem) for ref in find("@lines").guests] == [
        ("a b.qcow2", ""),
        ("c.qcow2", ""),
        ("missing.qcow2", "missing.qcow2: no such file or directory"),
    ]
    assert [ref.name for ref in find("@zeros", "./@c.qcow2").guests] == ["a b.qcow2", "@c.qcow2"]
    with pytest.raises(UsageError, match="@nowhere: no such file"):
        find("@nowhere")


def test_a_folder_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text("<a/>")
    with pytest.raises(NothingFound, match="no guest among 1 file"):
        find(tmp_path)


def test_a_child_that_dies_costs_nobody_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be looked at is judged by itself."""
    from v2vlint.engine import survey

    image(tmp_path / "base.qcow2")
    image(tmp_path / "now.qcow2", backing="base.qcow2")
    monkeypatch.setattr(survey, "SURVEY", "os:abort")
    assert told(find(tmp_path), tmp_path)[0] == {"base.qcow2", "now.qcow2"}
