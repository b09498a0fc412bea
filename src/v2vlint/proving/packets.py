"""Packets from the guest's network card: a capture file is read as it grows, for DHCP and addresses. Its content is hostile.

Formats: pcap (little-endian, Ethernet) as QEMU's filter-dump writes it; RFC 826, 791, 2131, 2132, 4861.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass

MAX_FRAME = 65536
MAX_FRAMES = 20_000
_MAGIC = 0xA1B2C3D4
_RECORD, _RECORD_SIZE = Fields("<", caplen=(8, "I")), 16
_COOKIE = b"\x63\x82\x53\x63"
_ACK = 5
_SLIRP = b"\x52\x55\x0a\x00\x02"  # QEMU's own gateway and name server


@dataclass(slots=True)
class Traffic:
    """What was seen so far. ``leased`` is the address a DHCP server assigned, ``addresses`` are the guest's own IPv4 addresses."""

    frames: int = 0
    discovers: int = 0
    leased: str = ""
    hostname: str = ""
    addresses: tuple[str, ...] = ()
    ipv6: bool = False

    @property
    def network(self) -> str:
        """The evidence that IPv4 networking is up, as text; empty while there is none."""
        if self.leased:
            return f"DHCP lease {self.leased}" + (f" to {self.hostname}" if self.hostname else "")
        return f"traffic from {self.addresses[0]}" if self.addresses else ""

    @property
    def summary(self) -> str:
        """A summary for the end of a boot, as text."""
        if self.network:
            return self.network
        if self.discovers:
            return "DHCP was requested, but no lease was accepted"
        if self.ipv6:
            return "the network card sends IPv6 only"
        return "the network card sent nothing" if not self.frames else "the network card sent no IP traffic"


class Capture:
    """Parses a growing pcap stream into ``traffic``. Accepts any bytes: a broken stream ends the parsing."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self._buffer = b""
        self._started = False
        self._broken = False

    def feed(self, data: bytes) -> None:
        """Process the next bytes of the file."""
        if self._broken or self.traffic.frames > MAX_FRAMES:
            return
        self._buffer += data
        if not self._started:
            if len(self._buffer) < 24:
                return
            # link 1 is LINKTYPE_ETHERNET.
            magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", self._buffer)
            self._broken, self._started = (magic, link) != (_MAGIC, 1), True
            self._buffer = self._buffer[24:]
        done = 0
        for start, end in self._records():
            _look(self._buffer[start:end], self.traffic)
            done = end
        # Once for all of them: a flood of small packets would make each removal costly.
        self._buffer = self._buffer[done:]

    def _records(self) -> Iterator[tuple[int, int]]:
        """Where the packets lie in the buffer that have arrived whole (struct pcap_sf_pkthdr precedes each)."""
        at = 0
        while not self._broken and at + _RECORD_SIZE <= len(self._buffer) and self.traffic.frames <= MAX_FRAMES:
            size = _RECORD.read(self._buffer, at)["caplen"]
            self._broken = size > MAX_FRAME
            start = at + _RECORD_SIZE
            if self._broken or start + size > len(self._buffer):
                return
            at = start + size
            yield start, at


def _look(frame: bytes, traffic: Traffic) -> None:
    if len(frame) < 14:
        return
    from_guest = not frame[6:12].startswith(_SLIRP)
    kind, payload = int.from_bytes(frame[12:14]), frame[14:]
    traffic.frames += from_guest
    if kind == 0x0806 and from_guest and len(payload) >= 28:
        # a probe (RFC 5227) has no sender address yet
        _note_address(payload[14:18], traffic)
    elif kind == 0x0800 and len(payload) >= 20:
        _look_ipv4(payload, from_guest, traffic)
    elif kind == 0x86DD and from_guest:
        traffic.ipv6 = True


def _look_ipv4(packet: bytes, from_guest: bool, traffic: Traffic) -> None:
    if from_guest:
        _note_address(packet[12:16], traffic)
    udp = packet[(packet[0] & 15) * 4 :]
    if packet[9] == 17 and len(udp) >= 8 and {*struct.unpack_from(">HH", udp)} == {67, 68}:
        _look_dhcp(udp[8:], traffic)


def _look_dhcp(message: bytes, traffic: Traffic) -> None:
    if message[236:240] != _COOKIE:
        return
    options = _dhcp_options(message[240:])
    # BOOTREQUEST; option 12 is the host name, 53 the type of the message, bytes 16 to 20 are yiaddr.
    request = message[0] == 1
    if request:
        traffic.discovers += 1
        name = options.get(12, b"").decode("ascii", "replace")
        traffic.hostname = "".join(char for char in name if char.isalnum() or char in ".-")[:64] or traffic.hostname
    elif options.get(53) == bytes([_ACK]):
        traffic.leased = str(ipaddress.IPv4Address(message[16:20]))


def _dhcp_options(data: bytes) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    position = 0
    while position + 1 < len(data) and data[position] != 255:
        if data[position] == 0:
            position += 1
            continue
        size = data[position + 1]
        options[data[position]] = data[position + 2 : position + 2 + size]
        position += 2 + size
    return options


def _note_address(raw: bytes, traffic: Traffic) -> None:
    address = ipaddress.IPv4Address(raw)
    if int(address) and not address.is_loopback and str(address) not in traffic.addresses and len(traffic.addresses) < 8:
        traffic.addresses = (*traffic.addresses, str(address))
