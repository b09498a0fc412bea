"""Rule service-bound-to-network."""

from collections.abc import Iterator

from v2vlint.api import Binding, BoundServices, Example, Finding, NetworkLanding, NotApplicable, Rule, Severity, Survival, Target

_VRRP, _COROSYNC, _RKE = "/etc/keepalived/keepalived.conf", "/etc/corosync/corosync.conf", "/etc/rancher/rke2/config.yaml"
_UNIT = "/etc/systemd/system/capture.service"
_GUEST = {
    "/usr/lib/udev/rules.d/80-net-setup-link.rules": "x\n",
    "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1\n}\n",
}
_ON = {**_GUEST, "/sbin/init": "", "/etc/systemd/system/multi-user.target.wants/capture.service": ""}
_OPENRC = {**_GUEST, "/sbin/init": "/etc/inittab", "/etc/inittab": "l:3:wait:/sbin/openrc default\n", "/etc/runlevels/default/sshd": ""}


class ServiceBoundToNetwork(Rule):
    """A cluster or routing service is bound to a card or an address of the old network.

    ## What it does
    Reads keepalived, corosync, flannel, kubelet, the manifests of a Kubernetes control plane, etcd, rke2 and k3s, and systemd units that
    require a card's device (`sys-subsystem-net-devices-ens192.device`), and OpenRC services that need that of a card
    (`rc_need="net.ens192"`). Names are compared with those of the target's cards; addresses
    count on targets that do not keep the network. Files of services that do not start are ignored.

    ## Why it matters
    The guest is up, but its cluster is not: keepalived stops on an unknown interface, corosync and etcd cannot bind, a kubelet announces
    an unreachable address. A unit that requires the device waits 90 seconds for it and then does not start.

    ## References
    - keepalived.conf(5), corosync.conf(5), systemd.device(5); docs.rke2.io, "Server configuration"; etcd.io, "Configuration options"
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Timed out waiting for device .*sys-subsystem-net-devices", r"\(\w+\) unknown interface", r"failed to bind to interface")
    examples = (
        Example({**_GUEST, _VRRP: "vrrp_instance VI_1 {\n  interface ens192\n}\n"}, flags=(f"{_VRRP}:2",)),
        Example({_COROSYNC: "totem {\n  interface {\n    bindnetaddr: 10.0.0.0\n  }\n}\n"}, flags=(f"{_COROSYNC}:3",)),
        Example({**_GUEST, _RKE: "node-ip: 10.0.0.7\nflannel-iface: ens192\n"}, flags=(f"{_RKE}:1", f"{_RKE}:2")),
        Example({"/var/lib/kubelet/kubeadm-flags.env": 'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.7"\n'},
                flags=("/var/lib/kubelet/kubeadm-flags.env:1",)),
        Example({**_ON, _UNIT: "[Unit]\nBindsTo=sys-subsystem-net-devices-ens192.device\nAfter=network.target\n[Service]\nExecStart=/x\n"},
                flags=(f"{_UNIT}:2",)),
        Example({**_ON, _UNIT: "[Service]\nExecStart=/opt/flanneld --iface=ens192 -v\n"}, flags=(f"{_UNIT}:2",)),
        Example({**_OPENRC, "/etc/conf.d/sshd": '#rc_need="net.eth1"\nrc_need="dns net.ens192"\n'}, flags=("/etc/conf.d/sshd:2",)),
        Example({**_OPENRC, "/etc/rc.conf": "rc_sshd_need=net.ens192\nrc_ftpd_need=net.ens192\n"}, flags=("/etc/rc.conf:1",)),
        Example({**_OPENRC, "/etc/init.d/sshd": "depend() {\n\tneed localmount net.ens192\n}\n"}, flags=("/etc/init.d/sshd:2",)),
        Example({**_OPENRC, "/etc/conf.d/sshd": 'rc_use="net.ens192"\nrc_need="!net.ens192 net.lo"\n'}, title="only ordered"),
        Example({**_GUEST, _VRRP: "vrrp_instance VI_1 {\n  interface br0\n  # interface ens192\n}\n"}, title="a bridge, which stays"),
        Example({**_GUEST, "/sbin/init": "", _VRRP: "vrrp_instance VI_1 {\n  interface ens192\n}\n"}, title="keepalived does not start"),
        Example({**_GUEST, _VRRP: "vrrp_instance VI_1 {\n  interface ens192\n}\n"}, target="vmware", title="the usual name there"),
        Example({**_GUEST, "/sbin/init": "", _UNIT: "[Unit]\nBindsTo=sys-subsystem-net-devices-ens192.device\n"}, title="not started"),
    )  # fmt: skip

    def check(self, services: BoundServices, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if not services.bindings:
            raise NotApplicable("no service is bound to a card or an address")
        for binding in services.bindings:
            if binding.is_address and not target.keeps_network:
                effect = "in another network it cannot use the address, and its peers do not find it"
                yield self.finding(binding.token.where, f"{binding.program} uses the fixed address {binding.token}", effect)
            elif not binding.is_address and _is_lost(binding.token.value, landing):
                yield self.finding(binding.token.where, f"{binding.program} is bound to the card {binding.token}", _effect(binding))


def _is_lost(name: str, landing: NetworkLanding) -> bool:
    survival = landing.name(name)
    doubtful = landing.network.policy.predictable is not None and name not in landing.usual_names
    return survival is Survival.LOST or (survival is Survival.UNSURE and doubtful)


def _effect(binding: Binding) -> str:
    if binding.waits:
        return "no card there has the name: systemd waits 90 seconds for it, and the unit does not start"
    return "the card has another name there: the service does not start, or does nothing"
