"""A proof is shown with the guest that it was made of, for the target that it was made on, and as long as the guest is as it was."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from v2vlint import proving, target
from v2vlint.model.proof import Proof
from v2vlint.model.source import GuestRef
from v2vlint.run import proofs
from v2vlint.source.sidecars import VARIABLE, state_folder

KVM, AZURE = target.load("kvm"), target.load("azure")
BOOTED = Proof("kvm", "firmware", "bios", "tcg", "v2", True, "login prompt", None, ())


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GuestRef:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(proving, "prove", lambda *_all: BOOTED)
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    past = time.time() - 100
    os.utime(image, (past, past))
    time.sleep(0.02)
    return GuestRef("disk.img", "disks", (str(image),))


def test_a_proof_is_kept_while_the_guest_is_as_it_was(guest: GuestRef) -> None:
    assert not list(proofs.known(guest, (KVM,)))
    proof, _forecast = proofs.prove(guest, KVM, proving.Wish())
    assert proof is BOOTED
    (found,) = proofs.known(guest, (KVM, AZURE))
    assert (found.target, found.came_up, found.way) == ("kvm", True, "by BIOS")
    (entry,) = (state_folder() / proofs.FOLDER).iterdir()
    assert entry.stat().st_mode & 0o077 == 0
    with Path(guest.paths[0]).open("r+b") as file:
        file.write(b"x")
    assert not list(proofs.known(guest, (KVM,)))


def test_a_guest_that_changed_meanwhile_has_no_proof(guest: GuestRef, monkeypatch: pytest.MonkeyPatch) -> None:
    def changing(*_all: object) -> Proof:
        Path(guest.paths[0]).write_bytes(b"other")
        return BOOTED

    monkeypatch.setattr(proving, "prove", changing)
    proofs.prove(guest, KVM, proving.Wish())
    assert not list(proofs.known(guest, (KVM,)))


def test_another_profile_of_that_name_is_another_target(guest: GuestRef) -> None:
    proofs.prove(guest, KVM, proving.Wish())
    other = target.parse("kvm", {"extends": "kvm", "ram_mib": 4096}, "kvm")
    assert not list(proofs.known(guest, (other,)))


def test_a_damaged_entry_is_none(guest: GuestRef) -> None:
    proofs.prove(guest, KVM, proving.Wish())
    (entry,) = (state_folder() / proofs.FOLDER).iterdir()
    entry.write_text("{")
    assert not list(proofs.known(guest, (KVM,)))
