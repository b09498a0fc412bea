"""cryptsetup's own images: LUKS1 and LUKS2 headers, whole, damaged and of every size, against cryptsetup and blkid."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora.test_corpora import FOLDER, found
from tests.disk.images import need, run
from v2vlint.disk.crypto.luks import unlock
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile

pytestmark = [pytest.mark.truth, pytest.mark.skipif(not FOLDER.is_dir(), reason="$V2VLINT_CORPORA names no folder")]

_SINGLE = ("*.img.xz", "evil_hdr-*.xz", "valid_header_file.xz")
_ARCHIVES = ("luks1-images", "conversion_imgs", "luks2_header_requirements", "luks2_mda_images")
WANTED = {(True, True): 77, (False, False): 7, (False, True): 53}
"""How many images are accepted by cryptsetup and by us. The 53 have valid checksums over a tree whose parts contradict each other, which
cryptsetup alone examines (``LUKS2_hdr_validate``), or are LUKS1 headers with key slots at impossible places."""


def images(folder: Path) -> Iterator[Path]:
    """All images, unpacked or made by cryptsetup's generators."""
    tests = found("cryptsetup-*/tests")[0]
    for packed in (path for pattern in _SINGLE for path in sorted(tests.glob(pattern))):
        (folder / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    for name in _ARCHIVES:
        with tarfile.open(tests / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name, filter="data")
    generators = folder / "generators"
    shutil.copytree(tests / "generators", generators)
    (folder / "made").mkdir()
    for script in sorted(generators.glob("generate-*.sh")):
        command = ["bash", *map(str, (script, folder / "made", folder / "luks2_valid_hdr.img"))]
        subprocess.run(command, cwd=generators, env={**os.environ, "srcdir": "."}, capture_output=True, check=True)
    shutil.rmtree(generators)
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size > 30_000)


def test_headers(tmp_path: Path) -> None:
    need("cryptsetup", "blkid", "jq")
    judged: Counter[tuple[bool, bool]] = Counter()
    differ = []
    for image in images(tmp_path):
        content = probe(HostFile(str(image)))
        tags = [run("sh", "-c", f"blkid -p -o value -s {tag} {image} || :").removesuffix("\n") for tag in ("TYPE", "UUID", "LABEL")]
        if [content.type, content.uuid, content.label] != tags:
            differ.append(image.name)
        if content.type == "crypto_LUKS":
            dumped = subprocess.run(["cryptsetup", "luksDump", image], capture_output=True, check=False).returncode == 0
            judged[dumped, "problem" not in dict(content.details)] += 1
    assert differ == []
    assert judged == WANTED


@pytest.mark.parametrize("name", ["compatimage", "compatimage2", "compatv10image"])
def test_volumes_open_with_their_key(tmp_path: Path, name: str) -> None:
    (tmp_path / "image").write_bytes(lzma.decompress((found("cryptsetup-*/tests")[0] / f"{name}.img.xz").read_bytes()))
    volume = HostFile(str(tmp_path / "image"))
    assert unlock(volume, [b"compatkey"]) is not None
    assert unlock(volume, [b"another"]) is None
