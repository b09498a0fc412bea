"""Which of the images in an ``oci:`` is read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from v2vlint.guest.open import GuestContents, open_ref
from v2vlint.source.expand import expand


def opened(argument: str) -> GuestContents:
    (ref,) = expand([argument])
    return open_ref(ref)


def test_of_several_images_one_has_to_be_named(tmp_path: Path) -> None:
    images = [{"digest": f"sha256:{one * 64}", "annotations": {"org.opencontainers.image.ref.name": one}} for one in "12"]
    (tmp_path / "index.json").write_text(json.dumps({"manifests": images}))
    said = opened(f"oci:{tmp_path}").problems[0].reason
    assert "several images: 1, 2" in said
    assert "several images" not in opened(f"oci:{tmp_path}:2").problems[0].reason


@pytest.mark.parametrize("tag", ["", ":1.0", ":latest"])
def test_one_image_may_have_several_names(tmp_path: Path, tag: str) -> None:
    names = ("1.0", "latest")
    images = [{"digest": f"sha256:{'1' * 64}", "annotations": {"org.opencontainers.image.ref.name": name}} for name in names]
    (tmp_path / "index.json").write_text(json.dumps({"manifests": images}))
    assert "several images" not in opened(f"oci:{tmp_path}{tag}").problems[0].reason
    with tarfile.open(tmp_path / "docker.tar", "w") as archive:
        manifest = [{"Config": "c.json", "RepoTags": [f"docker.io/a:{name}"], "Layers": ["l.tar"]} for name in names]
        data = json.dumps(manifest).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    assert "l.tar is not in it" in opened(f"oci:{tmp_path}/docker.tar{tag}").problems[0].reason


@pytest.mark.parametrize("tag", ["", ":v1"])
def test_the_platforms_of_an_image_are_not_several_images(tmp_path: Path, tag: str) -> None:
    blobs = tmp_path / "blobs/sha256"
    blobs.mkdir(parents=True)
    platforms = [
        {
            "digest": f"sha256:{number * 64}",
            "annotations": {"org.opencontainers.image.ref.name": arch},
            "platform": {"os": "linux", "architecture": arch},
        }
        for number, arch in (("1", "arm64"), ("2", "amd64"))
    ]
    index = json.dumps({"manifests": platforms}).encode()
    digest = hashlib.sha256(index).hexdigest()
    (blobs / digest).write_bytes(index)
    named = {"digest": f"sha256:{digest}", "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [named]}))
    assert "2222" in opened(f"oci:{tmp_path}{tag}").problems[0].reason


def _layout(folder: Path) -> tuple[Path, Path]:
    """A layout with one image of one layer: the files of its manifest and of the layer."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name in ("etc/", "dev/", "usr/lib/", "boot/", "bin/"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        info = tarfile.TarInfo("etc/os-release")
        info.size = 10
        archive.addfile(info, io.BytesIO(b"ID=debian\n"))
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes) -> Path:
        path = blobs / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        return path

    layer = blob(held.getvalue())
    manifest = blob(json.dumps({"layers": [{"digest": f"sha256:{layer.name}"}]}).encode())
    (folder / "index.json").write_text(json.dumps({"manifests": [{"digest": f"sha256:{manifest.name}"}]}))
    return manifest, layer


def test_blobs_that_are_not_those_of_their_digests_are_not_judged(tmp_path: Path) -> None:
    manifest, layer = _layout(tmp_path)
    assert not opened(f"oci:{tmp_path}").problems
    whole = layer.read_bytes()
    layer.write_bytes(gzip.compress(gzip.decompress(whole), 1))
    assert "layer 1: its content is not that of its digest" in opened(f"oci:{tmp_path}").problems[0].reason
    layer.unlink()
    assert "no such file" in opened(f"oci:{tmp_path}").problems[0].reason
    layer.write_bytes(whole)
    manifest.write_text(f" {manifest.read_text()}")
    assert "damaged: its content is not that of its digest" in opened(f"oci:{tmp_path}").problems[0].reason
