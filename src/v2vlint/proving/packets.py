"""Packets from the guest's network card: a capture file is read as it grows, for DHCP and addresses. Its content is hostile.

Formats: pcap (little-endian, Ethernet) as QEMU's filter-dump writes it; RFC 826, 791, 2131, 2132, 4861.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass

MAX_FRAME = 65536
MAX_FRAMES = 20_000
_MAGIC = 0xA1B2C3D4
# struct pcap_file_header and struct pcap_sf_pkthdr of libpcap (pcap/pcap.h, sf-pcap.h).
_FILE, _FILE_SIZE, _LINKTYPE_ETHERNET = Fields("<", magic=(0, "I"), linktype=(20, "I")), 24, 1
_RECORD, _RECORD_SIZE = Fields("<", caplen=(8, "I")), 16
# Headers by the RFCs' names: Ethernet II (894), ARP (826), IP (791), UDP (768), DHCP (2131).
_ETHERNET, _ETHERNET_SIZE, _SOURCE = Fields(">", type=(12, "H")), 14, slice(6, 12)
_ARP, _ARP_SIZE = Fields(">", spa=(14, "I")), 28
_IPV4, _IPV4_SIZE = Fields(">", version_ihl=(0, "B"), protocol=(9, "B"), source=(12, "I")), 20
_UDP, _UDP_SIZE = Fields(">", source=(0, "H"), destination=(2, "H")), 8
_DHCP, _DHCP_SIZE = Fields(">", op=(0, "B"), yiaddr=(16, "I"), cookie=(236, "I")), 240
_TYPE_IPV4, _TYPE_ARP, _TYPE_IPV6, _PROTOCOL_UDP, _DHCP_PORTS = 0x0800, 0x0806, 0x86DD, 17, {67, 68}
_COOKIE = 0x63825363
_BOOTREQUEST, _ACK = 1, 5
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
            if len(self._buffer) < _FILE_SIZE:
                return
            file = _FILE.read(self._buffer)
            self._broken, self._started = (file["magic"], file["linktype"]) != (_MAGIC, _LINKTYPE_ETHERNET), True
            self._buffer = self._buffer[_FILE_SIZE:]
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
    if len(frame) < _ETHERNET_SIZE:
        return
    from_guest = not frame[_SOURCE].startswith(_SLIRP)
    kind, payload = _ETHERNET.read(frame)["type"], frame[_ETHERNET_SIZE:]
    traffic.frames += from_guest
    if kind == _TYPE_ARP and from_guest and len(payload) >= _ARP_SIZE:
        # a probe (RFC 5227) has no sender address yet
        _note_address(_ARP.read(payload)["spa"], traffic)
    elif kind == _TYPE_IPV4 and len(payload) >= _IPV4_SIZE:
        _look_ipv4(payload, from_guest, traffic)
    elif kind == _TYPE_IPV6 and from_guest:
        traffic.ipv6 = True


def _look_ipv4(packet: bytes, from_guest: bool, traffic: Traffic) -> None:
    header = _IPV4.read(packet)
    if from_guest:
        _note_address(header["source"], traffic)
    udp = packet[(header["version_ihl"] & 15) * 4 :]
    if header["protocol"] == _PROTOCOL_UDP and len(udp) >= _UDP_SIZE and {*_UDP.read(udp).values()} == _DHCP_PORTS:
        _look_dhcp(udp[_UDP_SIZE:], traffic)


def _look_dhcp(message: bytes, traffic: Traffic) -> None:
    if len(message) < _DHCP_SIZE or (header := _DHCP.read(message))["cookie"] != _COOKIE:
        return
    options = _dhcp_options(message[_DHCP_SIZE:])
    # Option 12 is the host name, 53 the type of the message.
    if header["op"] == _BOOTREQUEST:
        traffic.discovers += 1
        name = options.get(12, b"").decode("ascii", "replace")
        traffic.hostname = "".join(char for char in name if char.isalnum() or char in ".-")[:64] or traffic.hostname
    elif options.get(53) == bytes([_ACK]):
        traffic.leased = str(ipaddress.IPv4Address(header["yiaddr"]))


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


def _note_address(raw: int, traffic: Traffic) -> None:
    address = ipaddress.IPv4Address(raw)
    if int(address) and not address.is_loopback and str(address) not in traffic.addresses and len(traffic.addresses) < 8:
        traffic.addresses = (*traffic.addresses, str(address))
