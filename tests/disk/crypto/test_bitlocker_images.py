"""BitLocker volumes that Windows made: cryptsetup's own test images, opened with every key they have, and told as cryptsetup tells them.

V2VLINT_BITLOCKER_IMAGES names the folder: ``tests/bitlk-images.tar.xz`` of cryptsetup's source, unpacked. ``images.conf`` in it has the
keys and the SHA-256 of each plain volume.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from v2vlint.disk.crypto.bitlocker import unlock
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile, Stream
from v2vlint.model.errors import Unsupported

FOLDER = os.environ.get("V2VLINT_BITLOCKER_IMAGES", "")
PROTECTORS = {"passphrase": "password", "recovery passphrase": "recovery password", "smart card": "certificate"}
METHODS = {
    ("cbc-elephant", "256"): "AES 128 with Diffuser", ("cbc-elephant", "512"): "AES 256 with Diffuser", ("cbc-eboiv", "128"): "AES 128",
    ("cbc-eboiv", "256"): "AES 256", ("xts-plain64", "256"): "XTS-AES 128", ("xts-plain64", "512"): "XTS-AES 256",
}  # fmt: skip
PARTLY = ("bitlk-aes-xts-128-eow", "bitlk-partially-encrypted-aes-cbc-128")
STATES = {
    "bitlk-aes-xts-128-clearkey-only": "waiting for activation",
    "bitlk-aes-xts-128-eow": "being encrypted",
    "bitlk-partially-encrypted-aes-cbc-128": "being encrypted",
}


def _images() -> dict[str, Mapping[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    if FOLDER:
        parser.read(Path(FOLDER) / "images.conf", encoding="utf-8")
    return {name: parser[name] for name in parser.sections()}


IMAGES = _images()
pytestmark = [
    pytest.mark.truth,
    pytest.mark.skipif(not IMAGES, reason="V2VLINT_BITLOCKER_IMAGES names no folder with cryptsetup's BitLocker images"),
]
each = pytest.mark.parametrize("name", list(IMAGES) or ["none"])
opens = pytest.mark.parametrize("name", [name for name in IMAGES if name not in PARTLY] or ["none"])


def volume(name: str) -> Stream:
    return HostFile(str(Path(FOLDER) / f"{name}.img"))


def keys(name: str) -> Iterator[bytes]:
    """Every key that the configuration has; none is the clear key of a suspended volume."""
    settings = IMAGES[name]
    yield from (settings[key].encode() for key in ("PW", "RP", "RP2") if settings.get(key))
    if settings.get("SK_VMK_GUID"):
        yield (Path(FOLDER) / f"{settings['SK_VMK_GUID'].upper()}.BEK").read_bytes()
    if settings.get("CLEARKEY_VMK_GUID"):
        yield b""


@opens
def test_every_key_opens_it(name: str) -> None:
    tried = 0
    for key in keys(name):
        plain = unlock(volume(name), (key,))
        assert plain is not None
        content = probe(plain)
        assert content.uuid.upper() == IMAGES[name]["UUID"]
        tried += 1
    assert tried
    assert plain is not None
    digest = hashlib.sha256()
    for offset in range(0, plain.size, 1 << 20):
        digest.update(plain.read_at(offset, 1 << 20))
    assert digest.hexdigest() == IMAGES[name]["SHA256SUM"]


@opens
def test_no_other_key_does(name: str) -> None:
    if "CLEARKEY_VMK_GUID" not in IMAGES[name]:
        assert unlock(volume(name), (b"wrong",)) is None


@pytest.mark.parametrize("name", [name for name in IMAGES if name in PARTLY] or ["none"])
def test_what_is_partly_encrypted_is_refused(name: str) -> None:
    """cryptsetup refuses these as well; their records of what is encrypted were left out of the images."""
    for key in keys(name):
        with pytest.raises(Unsupported, match="not converted all of this volume"):
            unlock(volume(name), (key,))


@each
def test_the_metadata_is_told_as_cryptsetup_tells_it(name: str) -> None:
    words = ["cryptsetup", "bitlkDump", str(Path(FOLDER) / f"{name}.img")]
    dump = subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    protectors = re.findall(r"GUID:\s+(\S+)\n(?:\s+Name:.*\n)?\s+Protection:\s+VMK protected with (.+)", dump)
    mode, bits = re.findall(r"Cipher mode:\s+(\S+)\nCipher key:\s+(\d+) bits", dump)[0]
    content = probe(volume(name))
    assert content.type == "BitLocker"
    told = dict(content.details)
    assert told["volume_guid"] == re.findall(r"^GUID:\s+(\S+)", dump, re.MULTILINE)[0] == IMAGES[name]["GUID"]
    assert told["cipher"] == METHODS[mode, bits]
    assert told["protectors"].split(",") == [PROTECTORS.get(kind, kind) for _guid, kind in protectors]
    assert told["keyslots"] == str(len(protectors))
    recovery = [guid for guid, kind in protectors if kind.startswith("recovery")]
    assert told.get("recovery_ids", "") == ",".join(recovery)
    assert told["state"] == STATES.get(name, "on")
