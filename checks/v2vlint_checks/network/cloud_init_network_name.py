"""Rule cloud-init-network-name."""

from collections.abc import Iterator

from v2vlint.api import CloudInit, Example, Finding, NetworkLanding, NotApplicable, Rule, Severity, Survival, Target

_PATH = "/etc/cloud/cloud.cfg.d/90-installer-network.cfg"
_SEED = "version: 2\nethernets:\n  ens160:\n    dhcp4: true\n"
_TEXT = "network:\n  version: 2\n  ethernets:\n    ens160:\n      dhcp4: true\n"


class CloudInitNetworkName(Rule):
    """cloud-init's own network configuration names a card that has another name on the target.

    ## What it does
    Finds interface names that the target's cards do not have, in network configurations under /etc/cloud (Ubuntu's installer writes
    `90-installer-network.cfg`) and in a NoCloud seed inside the guest.

    ## Why it matters
    Such a configuration takes precedence over the data source, and cloud-init writes it to netplan's or the distribution's files again at
    the first boot of every instance: changes to those files are lost, and the card stays without a configuration.

    ## References
    - cloud-init documentation, "Network configuration sources"; canonical/subiquity, `subiquity/server/controllers/cmdlist.py`
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_PATH: _TEXT}, target="openstack", flags=(f"{_PATH}:4",)),
        Example(
            {_PATH: "network:\n  version: 1\n  config:\n    - type: physical\n      name: ens160\n      subnets: [{type: dhcp}]\n"},
            flags=(f"{_PATH}:5",),
        ),
        Example({_PATH: _TEXT.replace("ens160", "all").replace("      dhcp4", "      match: {name: 'en*'}\n      dhcp4")}),
        Example({_PATH: _TEXT, "/sbin/init": ""}, title="cloud-init is not installed"),
        Example(
            {"/var/lib/cloud/seed/nocloud/meta-data": "instance-id: x\n", "/var/lib/cloud/seed/nocloud/network-config": _SEED},
            flags=("/var/lib/cloud/seed/nocloud/network-config:3",),
            title="a seed that goes with the guest",
        ),
        Example({_PATH: "network: {config: disabled}\n"}),
    )

    def check(self, cloud_init: CloudInit, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        if cloud_init.runs is False or not cloud_init.network_names:
            raise NotApplicable("cloud-init has no network configuration of its own, or does not run")
        for name in cloud_init.network_names:
            survival = landing.name(name.value)
            doubtful = landing.network.policy.predictable is not None and name.value not in landing.usual_names
            if survival is Survival.LOST or (survival is Survival.UNSURE and doubtful):
                message = f"cloud-init's own network configuration ({name.where.path.rpartition('/')[2]}) names the card {name}"
                effect = f"the card has another name on {target.name}, and cloud-init overwrites changes made elsewhere with this"
                yield self.finding(name.where, message, effect)
