"""Rule cloud-init-network-mac."""

from collections.abc import Iterator

from v2vlint.api import CardNames, CloudInit, Example, Finding, NotApplicable, Rule, Severity, Target, sample_target

_PATH = "/etc/cloud/cloud.cfg.d/50-curtin-networking.cfg"
_TEXT = (
    "network:\n  version: 1\n  config:\n    - type: physical\n      name: eth0\n      mac_address: '52:54:00:12:34:56'\n"
    "      subnets: [{type: dhcp}]\n"
)


class CloudInitNetworkMac(Rule):
    """cloud-init's own network configuration requires a MAC address that does not travel.

    ## What it does
    Finds `mac_address` and `macaddress` in network configurations under /etc/cloud (curtin and image builders leave them) on targets that
    assign new addresses.

    ## Why it matters
    cloud-init waits for the card, then gives up with "Not all expected physical devices present": no network, no keys, no user data.

    ## References
    - canonical/cloud-init#5824; GCE's import removes `50-curtin-networking.cfg`
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Not all expected physical devices present", r"Cannot rename mac=")
    examples = (
        Example({_PATH: _TEXT}, target="ec2-nitro", flags=(f"{_PATH}:6",)),
        Example({_PATH: _TEXT}, title="the target keeps the MAC address"),
        Example(
            {_PATH: _TEXT},
            given=(CardNames(macs=(("eth0", "52:54:00:12:34:56"),)),),
            target="ec2-nitro",
            title="--mac says that the card has it",
        ),
        Example({_PATH: "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n"}, target="azure"),
        Example({_PATH: _TEXT, "/sbin/init": ""}, target="azure", title="cloud-init is not installed"),
        Example(
            {_PATH: _TEXT},
            given=(sample_target(macs=("52:54:00:00:00:01",)),),
            flags=(f"{_PATH}:6",),
            title="the machine there has an address of its own",
        ),
        Example({_PATH: _TEXT}, given=(sample_target(macs=("52:54:00:12:34:56",)),), title="the machine there has the address"),
    )

    def check(self, cloud_init: CloudInit, target: Target, names: CardNames) -> Iterator[Finding]:
        if cloud_init.runs is False or target.carries_mac:
            raise NotApplicable("cloud-init does not run, or the MAC address stays")
        for mac in (mac for mac in cloud_init.network_macs if not target.has_mac(mac.value) and not names.knows(mac.value)):
            message = f"cloud-init's network configuration requires the MAC address {mac}"
            yield self.finding(mac.where, message, f"{target.name} assigns another one: cloud-init gives up and configures nothing")
