"""A volume group with a thin pool and one thin volume in it, written without device-mapper: thin_restore makes the pool's metadata."""

from __future__ import annotations

from pathlib import Path

from guestbuild import lvm
from guestbuild.lvm import DATA_START, EXTENT, Volume, lvm_uuid, write_group
from guestbuild.tools import blank, run, write_at

_CHUNK = 64 << 10
_SECTOR = 512
_METADATA = 4096


def write(path: Path, group: str, volume: str, content: Path) -> Path:
    """Make the file ``path``: a physical volume of ``group``, whose thin ``volume`` holds all of ``content``, chunk after chunk."""
    extents = -(-content.stat().st_size // EXTENT)
    run("truncate", f"--size={extents * EXTENT}", content)
    metadata = _pool_metadata(path, extents * EXTENT // _CHUNK)
    size = DATA_START + (extents + 2) * EXTENT
    write_group(path, group, (Volume("pool0_tdata", content), Volume("pool0_tmeta", metadata)), size)
    _rename(path, group, volume, extents)
    metadata.unlink()
    return path


def _pool_metadata(path: Path, chunks: int) -> Path:
    head = f'<superblock uuid="" time="0" transaction="1" data_block_size="{_CHUNK // _SECTOR}" nr_data_blocks="{chunks}">'
    device = f'<device dev_id="1" mapped_blocks="{chunks}" transaction="0" creation_time="0" snap_time="0">'
    mapping = f'<range_mapping origin_begin="0" data_begin="0" length="{chunks}" time="0"/>'
    text, made = path.with_suffix(".xml"), blank(path.with_suffix(".tmeta"), EXTENT)
    text.write_text(f"{head}{device}{mapping}</device></superblock>\n", "ascii")
    run("thin_restore", "-q", "-i", text, "-o", made)
    text.unlink()
    return made


def _rename(path: Path, group: str, volume: str, extents: int) -> None:
    """The two linear volumes are the pool's hidden ones; lvcreate and lvconvert would have written the other two blocks."""
    pool = 'type = "thin-pool"\nmetadata = "pool0_tmeta"\npool = "pool0_tdata"\ntransaction_id = 1\nchunk_size = 128\n'
    blocks = _volume(group, "pool0", extents, f'{pool}discards = "passdown"\nzero_new_blocks = 1\n')
    blocks += _volume(group, volume, extents, 'type = "thin"\nthin_pool = "pool0"\ntransaction_id = 0\ndevice_id = 1\n')
    with path.open("rb") as stream:
        stream.seek(_METADATA + _SECTOR)
        text = stream.read(DATA_START - _METADATA - _SECTOR).partition(b"\0")[0].decode()
    made = _hidden(text).replace("logical_volumes {\n", f"logical_volumes {{\n{blocks}").encode() + b"\0"
    write_at(path, _METADATA, lvm._mda_header(made))
    write_at(path, _METADATA + _SECTOR, made)


def _hidden(text: str) -> str:
    head, begin, rest = text.partition("logical_volumes {\n")
    return head + begin + rest.replace('"READ", "WRITE", "VISIBLE"', '"READ", "WRITE"')


def _volume(group: str, name: str, extents: int, segment: str) -> str:
    return f"""{name} {{
id = "{lvm_uuid(group, "lv", name)}"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
creation_time = 1700000000
creation_host = "guestbuild"
segment_count = 1
segment1 {{
start_extent = 0
extent_count = {extents}
{segment}}}
}}
"""
