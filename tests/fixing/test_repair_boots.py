"""The initramfs repair, proven: a guest without virtio drivers stops in its initramfs on virtio, is fixed, and reaches its login."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guestbuild.debian import Spec, build
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import session
from v2vlint.fixing.protocol import FixAsk
from v2vlint.model.source import GuestRef
from v2vlint.proving import Wish, prove

SPECS = [
    pytest.param(Spec(modules="list"), id="bookworm", marks=pytest.mark.slow),
    pytest.param(Spec(modules="list", initramfs="dracut"), id="bookworm-dracut", marks=pytest.mark.truth),
    pytest.param(Spec("bullseye", modules="list"), id="bullseye", marks=pytest.mark.truth),
    pytest.param(Spec("trixie", modules="list"), id="trixie", marks=pytest.mark.truth),
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_repaired_guest_reaches_its_login(tmp_path: Path, spec: Spec) -> None:
    image = Path(shutil.copy(build(spec), tmp_path / "guest.qcow2"))
    kvm = target.load("kvm")
    guest = GuestRef(str(image), "disks", (str(image),))
    outcome = session.fix_in_place(FixAsk(CheckAsk(guest, (kvm,))))
    assert "initramfs-without-storage-driver" in {chosen.rule for chosen in outcome.applied}
    assert outcome.before.roots[0].targets[0].forecast is not None
    assert outcome.before.roots[0].targets[0].forecast.will_boot is False
    assert outcome.after is not None
    assert outcome.after.roots[0].targets[0].forecast is not None
    assert outcome.after.roots[0].targets[0].forecast.will_boot is True
    proof = prove(guest, kvm, Wish(timeout=600))
    assert proof.came_up, proof.reason
