"""Rule dracut-network-legacy."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Conversion, Delete, Example, Finding, Fix, Mover, NotApplicable, Refusals, Rule, Severity

_CONF = "/etc/dracut.conf.d/50-network-legacy.conf"


class DracutNetworkLegacy(Rule):
    """dracut is configured for network-legacy, whose DHCP client is not installed.

    ## What it does
    With virt-v2v as the mover: finds the drop-in `50-network-legacy.conf` while dhclient is not installed.

    ## Why it matters
    dracut refuses to build an image: `Module 'network-legacy' cannot be found`. virt-v2v then gives up.

    ## Fix safety
    Unsafe: the drop-in is deleted, so that dracut chooses its network module; images that boot over the network may change.

    ## References
    - virt-v2v(1), "network-legacy cannot be found"
    """

    severity = Severity.ERROR
    since = "0.1"
    predicts = (r"network-legacy.*cannot be found",)
    examples = (
        Example(
            {_CONF: 'add_dracutmodules+=" network-legacy "\n', "/usr/bin/dracut": ""},
            mover=Mover.VIRT_V2V,
            flags=(_CONF,),
            severity=Severity.ERROR,
            fixed={_CONF: None},
        ),
        Example({_CONF: 'add_dracutmodules+=" network-legacy "\n', "/usr/sbin/dhclient": ""}, mover=Mover.VIRT_V2V),
        Example({"/usr/bin/dracut": ""}, mover=Mover.VIRT_V2V),
        Example({_CONF: 'add_dracutmodules+=" network-legacy "\n'}, title="nobody rebuilds the image in a raw copy"),
    )

    def check(self, refusals: Refusals, conversion: Conversion) -> Iterator[Finding]:
        if not conversion.by_virt_v2v:
            raise NotApplicable("virt-v2v is not the mover")
        for refusal in refusals.of("dracut"):
            fix = Fix("let dracut choose its network module", Applicability.UNSAFE, (Delete(str(refusal.where)),))
            effect = "virt-v2v stops when dracut fails to rebuild the initramfs"
            yield self.finding(refusal.where, refusal.reason, effect, fix=fix)
