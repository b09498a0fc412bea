"""Rule cloud-init-network-disabled."""

from collections.abc import Iterator

from v2vlint.api import CloudInit, Example, Finding, Method, NetworkLanding, NotApplicable, Rule, Severity, Survival, Target

_PATH = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg"
_INIT = {"/sbin/init": "", "/usr/bin/cloud-init": "", "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": ""}


class CloudInitNetworkDisabled(Rule):
    """cloud-init must not configure the network, whose configuration does not fit the target.

    ## What it does
    Finds `network: {config: disabled}` where cloud-init runs and the guest's own network configuration is static or bound to the old
    hardware.

    ## Why it matters
    On a cloud, cloud-init gives the guest the addresses of its new network. When this is disabled, the old configuration stays.

    ## References
    - cloud-init documentation, "Disabling network configuration"; subiquity and Packer templates leave such a file
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {
                **_INIT,
                _PATH: "network: {config: disabled}\n",
                "/etc/network/interfaces": "auto eth0\niface eth0 inet static\n  address 192.0.2.5/24\n",
            },
            target="openstack",
            flags=(f"{_PATH}:1",),
        ),
        Example(
            {**_INIT, _PATH: "network: {config: disabled}\n", "/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n"},
            target="openstack",
        ),
        Example(
            {
                **_INIT,
                "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1 network-config=disabled\n}\n",
                "/etc/network/interfaces": "auto eth0\niface eth0 inet static\n  address 192.0.2.5/24\n",
            },
            target="openstack",
            flags=("/boot/grub/grub.cfg:2",),
            title="by the kernel command line",
        ),
        Example({_PATH: "network: {config: disabled}\n", "/sbin/init": ""}, target="openstack", title="cloud-init is not installed"),
    )

    def check(self, cloud_init: CloudInit, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if not cloud_init.runs or cloud_init.network_disabled is None:
            raise NotApplicable("cloud-init may configure the network, or does not run")
        static = not target.keeps_network and any(interface.method is Method.STATIC for interface in landing.network.addressed)
        if not static and landing.usual is Survival.KEPT:
            return
        effect = f"the guest keeps {'its fixed address' if static else 'a configuration for other cards'} whatever {target.name} assigns"
        yield self.finding(cloud_init.network_disabled, "cloud-init is told not to configure the network", effect)
