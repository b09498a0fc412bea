"""Rule static-address."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    CloudInit,
    Example,
    Finding,
    Fix,
    InterfaceConfig,
    Method,
    Network,
    NotApplicable,
    Rule,
    Severity,
    Target,
)

_STRETCHED = Target("stretched", "the same network on the other side", "kvm", (), (), (), keeps_network=True)
_INTERFACES = "/etc/network/interfaces"
_DEBIAN = (
    "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n    address 192.0.2.5/24\n    gateway 192.0.2.1\n"
    "    # the resolver in the cellar\n    dns-nameservers 192.0.2.53\n    mtu 9000\n"
)
_IFCFG = "/etc/sysconfig/network-scripts/ifcfg-eth0"
_PROFILE = "/etc/NetworkManager/system-connections/lan.nmconnection"
_ROUTED = (
    "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\naddress1=192.0.2.5/24\nroute1=0.0.0.0/0,192.0.2.1\nroute2=10.0.0.0/8,192.0.2.9\n"
)
_SUSE = "/etc/sysconfig/network/ifcfg-eth0"
_NETWORK = "/etc/systemd/network/lan.network"
_NETPLAN = "/etc/netplan/01-lan.yaml"
_MANY = "[Match]\nMACAddress=52:54:00:00:00:01\n\n[Network]\n" + "".join(
    f"DNS=192.0.2.{50 + number}\nAddress=192.0.2.{number}/24\nGateway=192.0.2.{250 + number}\n" for number in range(1, 6)
)


class StaticAddress(Rule):
    """An interface has a fixed IP address.

    ## What it does
    Finds interfaces that come up with a fixed address, in every network manager, and prints their settings: address, prefix, gateway, name
    servers. Targets that keep the network (a stretched network, or the same host) are not reported.

    ## Why it matters
    In another network the address is unusable or taken: the guest is up but unreachable, or it disrupts another machine.

    ## Fix safety
    Unsafe: the interface uses DHCP instead, and address, gateway and name servers are removed from the file.

    ## References
    - AWS VM Import and GCE's import switch guests to DHCP; virt-v2v(1) leaves the configuration alone
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {_INTERFACES: _DEBIAN},
            flags=(f"{_INTERFACES}:6",),
            fixed={
                _INTERFACES: (
                    "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n    # the resolver in the cellar\n    mtu 9000\n"
                )
            },
        ),
        Example(
            {_IFCFG: "DEVICE=eth0\r\nBOOTPROTO=none\r\nIPADDR=192.0.2.5\r\nNETMASK=255.255.255.0\r\nGATEWAY=192.0.2.1\r\nONBOOT=yes\r\n"},
            flags=(f"{_IFCFG}:3",),
            fixed={_IFCFG: "DEVICE=eth0\r\nBOOTPROTO=dhcp\r\nONBOOT=yes\r\n"},
        ),
        Example(
            {_PROFILE: "[connection]\ntype=ethernet\n\n[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\ndns=192.0.2.53;\nmethod=manual\n"},
            flags=(f"{_PROFILE}:5",),
            fixed={_PROFILE: "[connection]\ntype=ethernet\n\n[ipv4]\nmethod=auto\n"},
        ),
        Example(
            {_PROFILE: _ROUTED},
            flags=(f"{_PROFILE}:5",),
            fixed={_PROFILE: "[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\nroute2=10.0.0.0/8,192.0.2.9\n"},
            title="the default route goes (its gateway is named), the other stays",
        ),
        Example(
            {
                _NETPLAN: (
                    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.5/24]\n      routes:\n"
                    "        - to: default\n          via: 192.0.2.1\n      mtu: 9000\n"
                )
            },
            flags=(f"{_NETPLAN}:5",),
            fixed={_NETPLAN: "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      mtu: 9000\n"},
        ),
        Example(
            {_NETWORK: "[Match]\nName=e*\n\n[Network]\nAddress=192.0.2.5/24\nGateway=192.0.2.1\nDNS=192.0.2.53\n"},
            flags=(f"{_NETWORK}:5",),
            fixed={_NETWORK: "[Match]\nName=e*\n\n[Network]\nDHCP=yes\n"},
        ),
        Example(
            {
                _SUSE: "BOOTPROTO='static'\nSTARTMODE='auto'\nIPADDR='192.0.2.15/24'\n",
                "/etc/sysconfig/network/routes": "default 192.0.2.1 - -\n",
            },
            flags=(f"{_SUSE}:3",),
        ),
        Example({_NETWORK: _MANY}, flags=(f"{_NETWORK}:6",), title="of many addresses and servers the first are told"),
        Example(
            {
                "/etc/netplan/50-cloud-init.yaml": (
                    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.5/24]\n      mtu: 9000\n"
                ),
                "/sbin/init": "",
                "/usr/bin/cloud-init": "",
                "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": "",
            },
            flags=("/etc/netplan/50-cloud-init.yaml:5",),
            fixed={
                "/etc/netplan/50-cloud-init.yaml": (
                    "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      mtu: 9000\n"
                ),
                "/etc/cloud/cloud.cfg.d/99-v2vlint-network.cfg": (
                    "# Written by v2vlint: the rendered network configuration was changed.\nnetwork: {config: disabled}\n"
                ),
            },
            title="cloud-init would write the address again",
        ),
        Example(
            {_NETPLAN: "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      addresses: [192.0.2.5/24]\n"},
            title="DHCP, and an address of its own besides",
        ),
        Example({_INTERFACES: _DEBIAN}, given=(_STRETCHED,), title="the network comes along"),
        Example({_INTERFACES: "auto eth0\niface eth0 inet dhcp\n#    address 192.0.2.5/24\n"}),
        Example({_IFCFG: "DEVICE=eth0\nBOOTPROTO=none\nIPADDR=192.0.2.5\nONBOOT=no\n"}),
        Example({_PROFILE: "[connection]\ntype=vpn\n[ipv4]\nmethod=manual\naddress1=10.8.0.2/24\n"}),
        Example({_INTERFACES: "auto lo\niface lo inet loopback\n\taddress 192.0.2.9/32\n"}, title="an address on the loopback interface"),
    )

    def check(self, network: Network, target: Target, cloud_init: CloudInit) -> Iterator[Finding]:
        if target.keeps_network:
            raise NotApplicable(f"{target.name} keeps the network")
        for interface in network.addressed:
            if interface.method is Method.STATIC and interface.addresses:
                message = f"{interface.label} has the fixed address {_settings(interface)}"
                effect = "in another network it is unreachable, or conflicts with another machine"
                fix = _dhcp(interface)
                yield self.finding(interface.addresses[0].where, message, effect, fix=fix and cloud_init.lasting(fix))


def _settings(interface: InterfaceConfig) -> str:
    """``192.0.2.5/24 (gateway 192.0.2.1, name servers 192.0.2.53)``."""
    more = [f"gateway {gateway}" for gateway in interface.gateways[:1]]
    if interface.dns:
        more.append(f"name servers {', '.join(server.value for server in interface.dns[:3])}")
    if interface.mac:
        more.append(f"MAC address {interface.mac}")
    addresses = ", ".join(str(address) for address in interface.addresses[:4])
    return f"{addresses} ({', '.join(more)})" if more else addresses


def _dhcp(interface: InterfaceConfig) -> Fix | None:
    if not interface.edits.to_dhcp:
        return None
    title = f"let {interface.label} get its address by DHCP (was {_settings(interface)})"
    return Fix(title, Applicability.UNSAFE, interface.edits.to_dhcp)
