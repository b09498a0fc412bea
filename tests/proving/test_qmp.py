"""The QMP client against a peer that misbehaves; the real QEMU is met in test_boot."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from v2vlint.proving.qmp import MAX_EVENTS, MAX_PENDING, Qmp


@pytest.fixture
def pair() -> Iterator[tuple[Qmp, socket.socket]]:
    """A client and its peer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Qmp(ours), theirs


def test_an_answer_among_greetings_events_and_noise(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.sendall(b'{"QMP": {}}\nnoise\n[1]\n{"event": "RESET", "data": {"guest": true}}\n{"return": {"running": true}, "id": 1}\n')
    assert qmp.execute("query-status") == {"running": True}
    assert [event["event"] for event in qmp.take_events()] == ["RESET"]
    assert qmp.take_events() == []
    assert peer.recv(1000) == b'{"execute": "query-status", "id": 1}\n'


def test_answers_and_events_of_a_qemu_that_was_taken_over(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.sendall(
        b"[" * 50_000
        + b'\n{"event": []}\n{"event": "SHUTDOWN", "data": [1]}\n{"event": "RESET", "data": null}\n{"return": 1e999, "id": 1}\n'
    )
    peer.sendall(b'{"event": "STOP"}\n{"return": {}, "id": 1}\n')
    assert qmp.execute("quit") == {}
    assert qmp.take_events() == [{"event": "STOP", "data": {}}]
    qmp.channel.settimeout(0)
    for _batch in range(MAX_EVENTS // 1000 + 1):
        peer.sendall(b'{"event": "STOP"}\n' * 1000)
        qmp.receive()
    assert len(qmp.take_events()) == MAX_EVENTS


def test_an_error_is_no_answer(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    peer.sendall(b'{"error": {"class": "GenericError"}, "id": 1}\n')
    assert qmp.execute("screendump", filename="/nowhere") is None
    assert not qmp.closed


def test_a_late_answer_is_not_that_of_the_next_command(pair: tuple[Qmp, socket.socket]) -> None:
    qmp, peer = pair
    assert qmp.execute("screendump", timeout=0.01, filename="/slow") is None
    peer.sendall(b'{"error": {"class": "GenericError"}, "id": 1}\n{"return": {"running": true}, "id": 2}\n')
    assert qmp.execute("query-status") == {"running": True}
    peer.sendall(b'{"return": {"status": "late"}, "id": 2}\n{"return": {"status": "nobody\'s"}}\n')
    assert qmp.execute("query-status", timeout=0.05) is None


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
