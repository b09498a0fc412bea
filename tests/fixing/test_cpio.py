"""Archives written here are unpacked by the real cpio."""

from __future__ import annotations

import subprocess
from pathlib import Path

from v2vlint.fixing.cpio import archive


def test_cpio_unpacks_it(tmp_path: Path) -> None:
    files = {"usr/lib/modules/6.1/a.ko": b"\x7fELF" * 1000, "conf/modules": b"virtio_blk\n", "empty": b""}
    data = archive(files)
    assert len(data) % 512 == 0
    subprocess.run(["cpio", "-i", "-d", "--quiet"], input=data, cwd=tmp_path, check=True)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == files
    assert (tmp_path / "usr/lib/modules/6.1").stat().st_mode & 0o777 == 0o755
