"""Whether KVM is used: a machine must run under it, and not more slowly than emulated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from v2vlint import accel, programs


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No answer that was given before, and a device that can be opened."""
    if programs.find(accel.QEMU) is None:
        pytest.skip("needs QEMU")
    monkeypatch.setattr("os.access", lambda *_arguments: True)
    accel.acceleration.cache_clear()
    yield
    accel.acceleration.cache_clear()


def test_a_machine_that_runs_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "KVM", ("-accel", "tcg"))
    assert accel.acceleration().kvm


def test_a_machine_that_never_executes_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "KVM", ("-accel", "tcg", "-S"))
    assert accel.acceleration() == accel.Acceleration(False, "a machine under KVM does not run, or runs slower than under emulation")


def test_the_words_of_qemu_are_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "KVM", ("-accel", "none-such"))
    found = accel.acceleration()
    assert not found.kvm
    assert "none-such" in found.reason
