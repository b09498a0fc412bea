"""Rule early-network-server."""

from collections.abc import Iterator

from v2vlint.api import EarlyNetwork, Example, Finding, NotApplicable, Rule, Severity, Target

_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Oracle' {\n linux /vmlinuz root=UUID=1 ro {0}\n}\n"


class EarlyNetworkServer(Rule):
    """The kernel command line uses a disk or a root on a server of the old network.

    ## What it does
    Finds `netroot=`, `iscsi_target_ip=`, `nfsroot=` and `root=nfs:` in the default boot entry, on targets that do not keep the network.
    Oracle Cloud images name their iSCSI boot volume this way (169.254.0.2).

    ## Why it matters
    dracut tries to log in there before it continues. The server does not answer, and boot waits for minutes, or ends in the emergency shell
    if the root is on it.

    ## References
    - dracut.cmdline(7), iSCSI; docs.oracle.com, "Boot volumes"
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"iscsiroot: .*fail", r"iscsistart: .*(initiator reported error|login failed)")
    examples = (
        Example(
            {_CFG: _ENTRY.replace("{0}", "netroot=iscsi:169.254.0.2::::iqn.2015-02.oracle.boot:uefi rd.iscsi.param=node.x")},
            flags=(f"{_CFG}:2",),
        ),
        Example({_CFG: _ENTRY.replace("{0}", "nfsroot=192.0.2.9:/srv/root")}, flags=(f"{_CFG}:2",)),
        Example({_CFG: _ENTRY.replace("{0}", "rd.iscsi.firmware=1 ip=dhcp")}),
    )

    def check(self, early: EarlyNetwork, target: Target) -> Iterator[Finding]:
        if not early.servers or target.keeps_network:
            raise NotApplicable("boot needs nothing from the network, or the target keeps the network")
        for arg in early.servers:
            effect = f"there is no such server on {target.name}: boot waits for it, and stops if the root is there"
            yield self.finding(arg.where, f"the kernel command line has {str(arg)[:100]}", effect)
