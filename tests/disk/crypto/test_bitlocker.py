"""BitLocker: what its metadata says without a key, opening it with each kind of key, and metadata that must not be believed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.disk.crypto.bitlocker_volume import (
    CBC_128,
    CBC_256,
    CERTIFICATE,
    CLEAR,
    DIFFUSER_128,
    DIFFUSER_256,
    HEADER,
    PASSWORD,
    PASSWORD_KIND,
    RECOVERY,
    RECOVERY_PASSWORD,
    STARTUP,
    TPM,
    TPM_PIN,
    VOLUME,
    XTS_128,
    XTS_256,
    Spec,
    bitlocker,
    identifier,
    own_areas,
    seen,
    startup_file,
    told,
)  # fmt: skip
from tests.disk.images import open_paths, problems
from v2vlint.disk.crypto.bitlocker import unlock
from v2vlint.disk.crypto.bitlocker_metadata import describe, is_bitlocker
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import MemoryStream, Stream
from v2vlint.model.bitlocker import bitlocker_volume
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.errors import ImageError, Unsupported

PLAIN = random.Random(1).randbytes(288 << 10)
BEK = startup_file()
RECOVERY_FILE = f"BitLocker Drive Encryption recovery key\r\n\r\nRecovery Key:\r\n\r\n\t{RECOVERY}\r\n".encode("utf-16")


def opened(spec: Spec, *secrets: bytes) -> bytes | None:
    stream = unlock(MemoryStream(bitlocker(PLAIN, spec)), secrets)
    return None if stream is None else stream.read()


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("method", [CBC_128, CBC_256, XTS_128, XTS_256, DIFFUSER_128, DIFFUSER_256])
def test_every_method(method: int, sector: int) -> None:
    assert opened(Spec((CLEAR,), method, sector)) == seen(PLAIN)


def test_small_reads_give_the_same() -> None:
    for method in (CBC_128, XTS_128):
        stream = unlock(MemoryStream(bitlocker(PLAIN, Spec((CLEAR,), method, 4096))), ())
        assert stream is not None
        whole = seen(PLAIN)
        for offset, length in ((0, 1), (510, 4), (8190, 5), (8192, 4097), (own_areas(len(PLAIN))[0][0] - 3, 9), (len(PLAIN) - 7, 100)):
            assert stream.read_at(offset, length) == whole[offset : offset + length]


@pytest.mark.parametrize(
    ("protectors", "secret"),
    [
        pytest.param((PASSWORD_KIND, RECOVERY_PASSWORD), PASSWORD.encode(), id="password"),
        pytest.param((PASSWORD_KIND,), f"{PASSWORD}\n".encode(), id="password-from-a-file"),
        pytest.param((TPM, RECOVERY_PASSWORD), RECOVERY.encode(), id="recovery-password"),
        pytest.param((TPM, RECOVERY_PASSWORD), RECOVERY_FILE, id="the-file-that-windows-saves"),
        pytest.param((TPM_PIN, STARTUP), BEK, id="startup-key"),
        pytest.param((TPM, CLEAR), b"", id="suspended"),
    ],
)
def test_every_key(protectors: tuple[int, ...], secret: bytes) -> None:
    assert opened(Spec(protectors), secret) == seen(PLAIN)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(b"wrong", id="password"),
        pytest.param(RECOVERY.replace("042647", "042658").encode(), id="recovery-password"),
        pytest.param(b"999999-" * 7 + b"999999", id="not-a-recovery-password"),
        pytest.param(BEK[:-1] + b"\0", id="startup-key"),
        pytest.param(BEK[:60], id="cut-startup-key"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_wrong_key_opens_nothing(secret: bytes) -> None:
    assert opened(Spec((PASSWORD_KIND, RECOVERY_PASSWORD, STARTUP)), secret) is None


def test_only_what_is_encrypted_is_decrypted() -> None:
    assert opened(Spec((CLEAR,), mark=160 << 10, states=(5, 4))) == seen(PLAIN)


@pytest.mark.parametrize("states", [(1, 1), (1, 4)])
def test_a_decrypted_volume_needs_no_key(states: tuple[int, int]) -> None:
    assert opened(Spec((PASSWORD_KIND,), states=states)) == seen(PLAIN)


def test_vista_leaves_the_first_sectors_in_place() -> None:
    volume = bitlocker(PLAIN, Spec((CLEAR,), version=1))
    stream = unlock(MemoryStream(volume), ())
    assert stream is not None
    first = stream.read_at(0, 512)
    assert (first[3:11], int.from_bytes(first[0x38:0x40], "little")) == (b"NTFS    ", own_areas(len(PLAIN))[1])
    assert stream.read_at(512, HEADER - 512) == volume[512:HEADER]
    assert stream.read_at(HEADER, 4096) == PLAIN[HEADER : HEADER + 4096]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (Spec((CLEAR,), on_write=True), "has not converted all of this volume"),
        (Spec((CLEAR,), states=(2, 4), torn=65536), "was stopped while it was converting"),
    ],
)
def test_what_cannot_be_told_apart_is_not_opened(spec: Spec, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        opened(spec)


@pytest.mark.parametrize(("claims", "method"), [(0x8009, "unknown (0x8009)"), (XTS_256, "XTS-AES 256"), (CBC_256, "AES 256")])
def test_a_method_that_does_not_fit_its_key_is_not_opened(claims: int, method: str) -> None:
    volume = MemoryStream(bitlocker(PLAIN, Spec((CLEAR,), claims=claims)))
    assert dict(describe(volume))["cipher"] == method
    with pytest.raises(Unsupported, match=f"method 0x{claims:04x} with a key of 128 bits is not supported"):
        unlock(volume, ())


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        (Spec((TPM, RECOVERY_PASSWORD)), "on"),
        (Spec((TPM, RECOVERY_PASSWORD, CLEAR)), "suspended"),
        (Spec((CLEAR,)), "waiting for activation"),
        (Spec((TPM,), states=(1, 1)), "off"),
        (Spec((TPM,), states=(1, 4)), "being encrypted"),
        (Spec((TPM,), states=(5, 4)), "being encrypted"),
        (Spec((TPM,), states=(2, 1)), "being decrypted"),
        (Spec((TPM,), states=(4, 4), on_write=True), "being encrypted"),
        (Spec((TPM,), states=(3, 3)), "paused"),
        (Spec((TPM,), states=(9, 77)), "unknown"),
    ],
)
def test_states(spec: Spec, state: str) -> None:
    assert dict(describe(MemoryStream(bitlocker(PLAIN, spec))))["state"] == state


def test_what_the_metadata_says() -> None:
    kinds = (TPM, TPM_PIN, STARTUP, RECOVERY_PASSWORD, CERTIFICATE, PASSWORD_KIND, 0x300, 0x700, 0x4000, CLEAR)
    content = probe(MemoryStream(bitlocker(PLAIN, Spec(kinds, CBC_256))))
    assert content.type == "BitLocker"
    assert dict(content.details) == {
        "bitlocker": "yes",
        "version": "2",
        "state": "suspended",
        "cipher": "AES 256",
        "keyslots": "10",
        "protectors": "TPM,TPM and PIN,startup key,recovery password,certificate,password,TPM and startup key,TPM and PIN and startup key,"
        "unknown (0x4000),clear key",
        "volume_guid": str(VOLUME),
        "recovery_ids": str(identifier(RECOVERY_PASSWORD)),
    }


def test_a_removable_drive_looks_like_fat() -> None:
    volume = bitlocker(PLAIN, Spec((CLEAR,), to_go=True))
    assert probe(MemoryStream(volume)).type == "BitLocker"
    assert opened(Spec((CLEAR,), to_go=True)) == seen(PLAIN)
    assert not is_bitlocker(volume[:424] + bytes(88))


def test_a_damaged_copy_is_passed_over() -> None:
    volume = bytearray(bitlocker(PLAIN, Spec((CLEAR,))))
    areas, _header = own_areas(len(PLAIN))
    volume[areas[0] + 70] ^= 1
    volume[areas[1]] ^= 1
    stream = unlock(MemoryStream(bytes(volume)), ())
    assert stream is not None
    assert stream.read_at(0, 4096) == PLAIN[:4096]
    volume[areas[2] + 200] ^= 1
    assert describe(MemoryStream(bytes(volume))) == (("metadata", "damaged"),)
    with pytest.raises(ImageError, match="no copy of its metadata is intact"):
        unlock(MemoryStream(bytes(volume)), ())


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_hostile_metadata(mask: int) -> None:
    """Each byte in turn, in all copies, under a checksum that is right: told, opened to the same size, or refused in words."""
    protectors = (TPM, STARTUP, CLEAR)
    volume = bitlocker(PLAIN, Spec(protectors))
    for offset in range(8, 800):
        _survives(MemoryStream(told(volume, Spec(protectors, spoil=((offset, mask),)))))


@pytest.mark.parametrize("seed", range(3))
def test_hostile_first_sector(seed: int) -> None:
    chance = random.Random(seed)
    volume = bytearray(bitlocker(PLAIN, Spec((CLEAR,))))
    for _round in range(200):
        changed = bytearray(volume)
        for offset in (*chance.sample(range(3, 200), 2), chance.randrange(11, 14)):
            changed[offset] = chance.randrange(256)
        _survives(MemoryStream(bytes(changed)))


def _survives(volume: Stream) -> None:
    assert describe(volume)
    try:
        stream = unlock(volume, (BEK,))
    except ImageError:
        return
    if stream is not None:
        assert stream.size == volume.size
        assert len(stream.read_at(0, 4096)) == 4096
        stream.read_at(stream.size - 4096, 8192)


@pytest.mark.parametrize(
    ("protectors", "reason"),
    [
        ((TPM, RECOVERY_PASSWORD), "no key was given; the recovery password 3FD763F9 opens it"),
        ((PASSWORD_KIND, STARTUP), "no key was given; its password or the .bek file of its startup key opens it"),
        ((TPM, TPM_PIN), "no key was given; only the TPM of the machine it comes from opens it"),
        ((0x4000,), "no key was given"),
    ],
)
def test_a_locked_volume_says_what_opens_it(tmp_path: Path, protectors: tuple[int, ...], reason: str) -> None:
    (tmp_path / "disk").write_bytes(bitlocker(PLAIN, Spec(protectors)))
    stack = open_paths(tmp_path / "disk")
    assert problems(stack)[0] == f"disk1: encrypted (BitLocker), and {reason}"
    assert bitlocker_volume(stack.blocks.disks[0]).sealed == (TPM in protectors)


def test_what_is_not_known_is_empty() -> None:
    volume = bitlocker_volume(BlockDevice("disk1", "disk", 1, 0, fs_type="BitLocker"))
    assert (volume.opened_by, volume.recovery, volume.sealed, volume.only_sealed, volume.lies_open) == ("", "", False, False, False)


@pytest.mark.parametrize(
    ("protectors", "ids", "asked", "opened_by"),
    [
        ("TPM,recovery password", "3fd763f9-1", "the recovery password 3FD763F9", "the recovery password 3FD763F9"),
        ("TPM,startup key", "", "its startup key on a USB drive", "the .bek file of its startup key"),
        ("recovery password,recovery password", "aa-1,bb-2", "the recovery password AA-1 or BB-2", "the recovery password AA-1 or BB-2"),
        ("recovery password,password", "", "", "a recovery password or its password"),
        ("TPM,certificate", "", "", ""),
    ],
)
def test_words(protectors: str, ids: str, asked: str, opened_by: str) -> None:
    told = (("protectors", protectors), ("recovery_ids", ids))
    volume = bitlocker_volume(BlockDevice("disk1", "disk", 1, 0, fs_type="BitLocker", details=told))
    assert (volume.asked, volume.opened_by) == (asked, opened_by)
