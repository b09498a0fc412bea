"""Captured packets: a real DHCP exchange in small, static addresses, and hostile captures."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2vlint.proving.packets import MAX_FRAME, MAX_FRAMES, Capture

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1)
GUEST, SLIRP = bytes.fromhex("525400aabbcc"), bytes.fromhex("52550a000202")
EVERYBODY = b"\xff" * 6


def record(frame: bytes) -> bytes:
    """A frame in a capture file."""
    return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame


def ethernet(source: bytes, kind: int, payload: bytes) -> bytes:
    """A frame to everybody."""
    return record(EVERYBODY + source + kind.to_bytes(2) + payload)


def ipv4(source: str, protocol: int, payload: bytes) -> bytes:
    """A packet to everybody."""
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, address(source), b"\xff" * 4) + payload


def address(text: str) -> bytes:
    """Four bytes."""
    return bytes(map(int, text.split(".")))


def dhcp(reply: bool, kind: int, yours: str = "0.0.0.0", options: bytes = b"") -> bytes:
    """A DHCP message over UDP and IP, as an Ethernet frame."""
    message = struct.pack(">BBBB", 2 if reply else 1, 1, 6, 0) + bytes(12) + address(yours) + bytes(216) + b"\x63\x82\x53\x63"
    message += bytes([0, 53, 1, kind]) + options + b"\xff"
    ports = (67, 68) if reply else (68, 67)
    udp = struct.pack(">HHHH", *ports, 8 + len(message), 0) + message
    return ethernet(SLIRP if reply else GUEST, 0x0800, ipv4("10.0.2.2" if reply else "0.0.0.0", 17, udp))


def arp(sender: str, mac: bytes = GUEST) -> bytes:
    """An ARP request."""
    return ethernet(mac, 0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac + address(sender) + bytes(6) + address("192.0.2.1"))


HOST = bytes([12, 5]) + b"guest"
CASES = {
    "a lease": (
        dhcp(False, 1, options=HOST) + dhcp(True, 2, "10.0.2.15") + dhcp(False, 3) + dhcp(True, 5, "10.0.2.15"),
        "DHCP lease 10.0.2.15 to guest",
        "",
    ),
    "no answer": (dhcp(False, 1) + dhcp(True, 2, "10.0.2.15"), "", "DHCP was requested, but no lease was accepted"),
    "a static address": (arp("192.0.2.7"), "traffic from 192.0.2.7", ""),
    "an address probe": (arp("0.0.0.0"), "", "the network card sent no IP traffic"),
    "IPv6 only": (ethernet(GUEST, 0x86DD, bytes(40)), "", "the network card sends IPv6 only"),
    "only QEMU speaks": (arp("10.0.2.2", SLIRP), "", "the network card sent nothing"),
    "silence": (b"", "", "the network card sent nothing"),
    "short frames": (
        record(b"x") + ethernet(GUEST, 0x0800, b"\x45") + ethernet(GUEST, 0x0806, b""),
        "",
        "the network card sent no IP traffic",
    ),
    "a host name with escapes": (
        dhcp(False, 1, options=bytes([12, 6]) + b"a\x1b[2Jb") + dhcp(True, 5, "10.0.2.15"),
        "DHCP lease 10.0.2.15 to a2Jb",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen(case: str) -> None:
    frames, network, summary = CASES[case]
    capture = Capture()
    capture.feed(HEADER + frames)
    assert capture.traffic.network == network
    assert capture.traffic.summary == (summary or network)


def test_the_file_may_arrive_in_pieces() -> None:
    capture = Capture()
    for byte in HEADER + CASES["a lease"][0]:
        capture.feed(bytes([byte]))
    assert capture.traffic.leased == "10.0.2.15"


@pytest.mark.parametrize("data", [b"x" * 24 + arp("192.0.2.7"), HEADER + struct.pack("<IIII", 0, 0, MAX_FRAME + 1, 0) + arp("192.0.2.7")])
def test_a_broken_capture_ends_the_reading(data: bytes) -> None:
    capture = Capture()
    capture.feed(data)
    capture.feed(HEADER + arp("192.0.2.7"))
    assert capture.traffic.frames == 0


def test_a_flood_of_small_packets_is_read_in_one_pass() -> None:
    capture, started = Capture(), time.process_time()
    capture.feed(HEADER + record(b"") * (1 << 17))
    capture.feed(record(EVERYBODY + GUEST + b"\x08\x00") * (1 << 15))
    assert time.process_time() - started < 5
    assert capture.traffic.frames == MAX_FRAMES + 1
    capture.feed(HEADER + arp("192.0.2.7"))
    assert not capture.traffic.addresses


@given(st.binary(max_size=400))
def test_any_frame(frame: bytes) -> None:
    capture = Capture()
    capture.feed(HEADER + record(frame) + record(EVERYBODY + GUEST + b"\x08\x00" + frame))
    assert capture.traffic.frames >= 1
