"""The state of image files: any changed byte shows, holes and zeroes cost nothing and mean the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2vlint.proving import pristine
from v2vlint.proving.pristine import file_states

MIB = 1 << 20


def digest(path: Path) -> str:
    """The hash of a file."""
    return file_states([str(path)])[0].digest


def test_a_changed_byte_shows_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(3 * MIB + 17))
    before = digest(path)
    for offset in (0, MIB - 1, 2 * MIB + 5, 3 * MIB + 16):
        with path.open("r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)
            stream.seek(offset)
            stream.write(bytes([byte[0] ^ 1]))
        assert digest(path) != before
        with path.open("r+b") as stream:
            stream.seek(offset)
            stream.write(byte)
        assert digest(path) == before


def test_a_touched_file_is_another_state(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"same")
    before = file_states([str(path)])
    assert file_states([str(path)]) == before
    os.utime(path, ns=(1, 1))
    after = file_states([str(path)])
    assert after != before
    assert after[0].digest == before[0].digest


def test_holes_and_zeroes_are_the_same(tmp_path: Path) -> None:
    sparse, dense = tmp_path / "sparse", tmp_path / "dense"
    data = bytes(5 * MIB) + b"x" * 100 + bytes(5 * MIB)
    dense.write_bytes(data)
    with sparse.open("wb") as stream:
        stream.truncate(len(data))
        stream.seek(5 * MIB)
        stream.write(b"x" * 100)
    assert digest(sparse) == digest(dense)


def test_data_moved_elsewhere_shows(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" * MIB + bytes(MIB))
    other.write_bytes(bytes(MIB) + b"x" * MIB)
    assert digest(one) != digest(other)


def test_a_huge_hole_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
        stream.seek(1 << 39)
        stream.write(b"x")
    assert file_states([str(path)])[0].whole


def test_a_large_image_is_sampled_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pristine, "WHOLE", MIB)
    path = tmp_path / "image"
    path.write_bytes(b"x" * 3 * MIB)
    state = file_states([str(path)])[0]
    assert not state.whole
    path.write_bytes(b"x" * MIB + b"y" * 2 * MIB)
    assert file_states([str(path)])[0].digest != state.digest
