"""Which of the images in an ``oci:`` is read."""

from __future__ import annotations

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
    (blobs / ("3" * 64)).write_text(json.dumps({"manifests": platforms}))
    named = {"digest": f"sha256:{'3' * 64}", "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [named]}))
    assert "2222" in opened(f"oci:{tmp_path}{tag}").problems[0].reason
