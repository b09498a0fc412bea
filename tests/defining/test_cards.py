"""The card of a machine that came without a definition has the address that the guest's network is bound to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proving.test_prepare import DEBIAN, image
from v2vlint import target
from v2vlint.defining.prepare import prepare
from v2vlint.defining.protocol import DefineAsk, ProposedMachine
from v2vlint.model.codec import decode, encode


@pytest.mark.parametrize(
    ("stated", "mac"),
    [
        ("00:50:56:AA:BB:CC", "00:50:56:aa:bb:cc"),
        ("0050.56AA.BBCC", "00:50:56:aa:bb:cc"),
        ("00:50:56:aa:bb:cc'/>", ""),
    ],
)
def test_the_address_in_the_network_configuration(tmp_path: Path, stated: str, mac: str) -> None:
    service = b"[Service]\nExecStart=/lib/systemd/systemd-networkd\n"
    files = {
        "/etc/systemd/network/10-lan.network": f"[Match]\nMACAddress={stated}\n[Network]\nDHCP=yes\n".encode(),
        "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": service,
        "/lib/systemd/system/systemd-networkd.service": service,
    }
    answer = prepare(encode(DefineAsk(image(tmp_path, {**DEBIAN, **files}), target.load("kvm"))))
    (card,) = decode(ProposedMachine, answer).cards
    assert card.mac == mac
