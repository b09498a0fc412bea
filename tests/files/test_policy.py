"""The policy by itself: what may be opened, judged after resolution, and what is handed out is what was judged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2vlint.files import Desk, FileMissing, FilePolicy, Refused, desk
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with a named image, beside things that are not its own."""
    folder = tmp_path / "bundle"
    (folder / "below/deeper").mkdir(parents=True)
    (folder / ".ssh").mkdir()
    for name in ("disk", "base", "below/deeper/base", ".ssh/id", ".hidden", "\udcff\n,a=b", "json:{}", "-x"):
        (folder / name).write_text("content")
    (tmp_path / "secret").write_text("secret")
    (folder / "out").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    (folder / "in").symlink_to("below/deeper/base")
    (folder / "round").symlink_to("round")
    os.mkfifo(folder / "pipe")
    return folder


def asked(policy: FilePolicy, path: Path | str) -> bytes:
    opened = policy.open(str(path))
    try:
        return os.pread(opened.descriptor, 64, 0)
    finally:
        os.close(opened.descriptor)


INSIDE = ["disk", "base", "below/deeper/base", "in", "below/../base", "up/bundle/base", "\udcff\n,a=b", "json:{}", "-x"]


@pytest.mark.parametrize("name", INSIDE)
def test_what_lies_in_the_folder_may_be_opened(bundle: Path, name: str) -> None:
    policy = FilePolicy.naming([str(bundle / "disk")])
    assert asked(policy, bundle / name) == b"content"


OUTSIDE = [
    "out", "up/secret", "../secret", "below/../../secret", "/etc/passwd", "/proc/self/environ", "/dev/zero", ".ssh/id", ".hidden",
    "../bundle-2/x",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_leads_out_is_refused_with_the_option_that_would_allow_it(bundle: Path, name: str) -> None:
    (bundle.parent / "bundle-2").mkdir()
    (bundle.parent / "bundle-2/x").write_text("neighbour")
    policy = FilePolicy.naming([str(bundle / "disk")])
    with pytest.raises(Refused) as caught:
        policy.open(str(bundle / name))
    assert "--allow-folder /" in caught.value.hint


@pytest.mark.parametrize(("name", "kind"), [("pipe", "a pipe"), ("below", "a folder"), ("round", "a link that leads nowhere")])
def test_only_files_are_opened(bundle: Path, name: str, kind: str) -> None:
    with pytest.raises(ImageError, match=kind):
        FilePolicy.naming([str(bundle / "disk")]).open(str(bundle / name))


@pytest.mark.parametrize("name", ["gone", "", "a\0b", "disk/x"])
def test_what_is_not_there_is_missing(bundle: Path, name: str) -> None:
    with pytest.raises(FileMissing):
        FilePolicy.naming([str(bundle / "disk")]).open(f"{bundle}/{name}" if name else "")


def test_what_the_operator_names_may_be_anywhere(bundle: Path) -> None:
    assert asked(FilePolicy.naming([str(bundle / "out")]), bundle / "out") == b"secret"
    assert asked(FilePolicy.naming([str(bundle / "disk")], [str(bundle.parent)]), bundle / "out") == b"secret"


def test_the_folder_of_a_name_and_that_of_the_file_behind_it(tmp_path: Path, bundle: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "name").symlink_to(bundle / "disk")
    (other / "beside").write_text("beside")
    policy = FilePolicy.naming([str(other / "name")])
    assert asked(policy, other / "beside") == b"beside"
    assert asked(policy, bundle / "base") == b"content"


def test_a_folder_is_not_a_name_for_links_in_it(bundle: Path) -> None:
    found = GuestRef("x", "disks", (str(bundle / "out"),), folder=str(bundle))
    with pytest.raises(Refused):
        FilePolicy.of(found).open(str(bundle / "out"))
    assert asked(FilePolicy.of(found), bundle / "base") == b"content"


def test_the_root_folder_counts_only_for_what_lies_right_in_it() -> None:
    policy = FilePolicy(frozenset(), ("/",))
    assert policy.covers("/disk.img")
    assert not policy.covers("/etc/passwd")


def test_a_link_that_is_put_in_the_way_meanwhile_is_judged_again(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = os.path.realpath

    def swapped(path: str) -> str:
        real = resolve(path)
        if real.endswith("below/deeper/base"):
            (bundle / "below").rename(bundle / "was")
            (bundle / "below").symlink_to(bundle.parent / "evil")
        return real

    (bundle.parent / "evil/deeper").mkdir(parents=True)
    (bundle.parent / "evil/deeper/base").write_text("secret")
    policy = FilePolicy.naming([str(bundle / "disk")])
    monkeypatch.setattr(os.path, "realpath", swapped)
    with pytest.raises(Refused):
        policy.open(str(bundle / "below/deeper/base"))


def test_a_desk_tells_what_it_gave(bundle: Path) -> None:
    desk = Desk(GuestRef("x", "disks", (str(bundle / "disk"),), hashed=True))
    for name in ("disk", "in", "below/deeper/base"):
        answer, descriptor = desk(str(bundle / name))
        assert answer["size"] == 7
        assert descriptor is not None
        os.close(descriptor)
    answer, descriptor = desk(str(bundle / "out"))
    assert descriptor is None
    assert answer["error"] == "Refused"
    (bundle / "disk").write_text("changed")
    first, second = desk.files()
    assert [Path(first.path).name, Path(second.path).name] == ["disk", "base"]
    assert first.before != first.after
    assert second.before == second.after == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert desk.gave(str(bundle / "in"))
    assert not desk.gave(str(bundle / "base"))
    assert not any(desk.gave(f"{bundle}/disk{end}") for end in ("\0", "\ud800"))


def test_a_child_does_not_ask_for_ever(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MAX_OPENED", 3)
    ours = Desk(GuestRef("x", "disks", (str(bundle / "disk"),)))
    told = [ours("disk" if number else str(bundle / "disk")) for number in range(5)]
    assert [answer.get("error") for answer, _handle in told] == [None, "FileMissing", "FileMissing", "ImageError", "ImageError"]
    os.close(told[0][1] or -1)


def test_a_file_that_cannot_be_read_for_its_digest_is_named(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_opened: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(desk, "_digest", broken)
    before = len(list(Path("/proc/self/fd").iterdir()))
    answer, handle = Desk(GuestRef("x", "disks", (str(bundle / "disk"),), hashed=True))(str(bundle / "disk"))
    assert (answer["error"], answer["message"], handle) == ("ImageError", f"{bundle / 'disk'}: input/output error", None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
