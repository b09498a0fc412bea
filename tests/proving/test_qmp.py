"""The QMP client against a peer that misbehaves; the real QEMU is met in test_boot."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from v2vlint.proving.qmp import MAX_PENDING, Qmp


@pytest.fixture
def pair() -> Iterator[tuple[Qmp, socket.socket]]:
    """A client and its peer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Qmp(ours), theirs


def test_an_answer_among_greetings_events_and_noise(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.sendall(b'{"QMP": {}}\nnoise\n[1]\n{"event": "RESET", "data": {"guest": true}}\n{"return": {"running": true}}\n')
    assert qmp.execute("query-status") == {"running": True}
    assert [event["event"] for event in qmp.take_events()] == ["RESET"]
    assert qmp.take_events() == []
    assert peer.recv(1000) == b'{"execute": "query-status"}\n'


def test_an_error_is_no_answer(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.sendall(b'{"error": {"class": "GenericError"}}\n')
    assert qmp.execute("screendump", filename="/nowhere") is None
    assert not qmp.closed


def test_silence_ends(pair: tuple[Qmp, socket.socket]) -> None:
    assert pair[0].execute("query-status", timeout=0.05) is None


def test_a_peer_that_leaves(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.close()
    assert qmp.execute("query-status") is None
    assert qmp.closed
    assert qmp.execute("query-status") is None


def test_a_flood_without_newlines_is_bounded(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    sent = 0
    while not qmp.closed:
        sent += peer.send(b"x" * 65536)
        qmp.receive()
    assert sent <= MAX_PENDING + 3 * 65536
