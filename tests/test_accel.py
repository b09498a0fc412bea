"""The probe for KVM runs code in a machine: under an emulator that works it comes to its end, whatever KVM does here."""

from __future__ import annotations

import pytest

from v2vlint import accel, programs


@pytest.mark.skipif(programs.find(accel.QEMU) is None, reason="needs QEMU")
def test_the_probe_tells_a_machine_that_runs_from_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    emulated = tuple({"kvm": "tcg", "host": "max"}.get(word, word) for word in accel._MACHINE)
    monkeypatch.setattr("os.access", lambda *_: True)
    monkeypatch.setattr(accel, "_MACHINE", emulated)
    assert accel.acceleration.__wrapped__().kvm
    monkeypatch.setattr(accel, "_MACHINE", (*emulated, "-S"))
    monkeypatch.setattr(accel, "PATIENCE", 1.0)
    assert "nothing happens" in accel.acceleration.__wrapped__().reason
    monkeypatch.setattr(accel, "_MACHINE", ("-accel", "none-such"))
    assert not accel.acceleration.__wrapped__().kvm
