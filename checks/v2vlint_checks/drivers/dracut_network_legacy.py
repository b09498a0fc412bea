"""Rule dracut-network-legacy."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Delete,
    Example,
    Finding,
    Fix,
    GuestFS,
    Mover,
    NotApplicable,
    Rule,
    Severity,
    Target,
    WholeFile,
    virt_v2v_converts,
)

_CONF = "/etc/dracut.conf.d/50-network-legacy.conf"
_CLIENTS = ("/sbin/dhclient", "/usr/sbin/dhclient")


class DracutNetworkLegacy(Rule):
    """dracut is told to use network-legacy, whose DHCP client is not installed.

    ## What it does
    When virt-v2v carries the guest, finds the drop-in `50-network-legacy.conf` while dhclient is absent.

    ## Why it matters
    dracut refuses to build an image: `Module 'network-legacy' cannot be found`. virt-v2v then gives up.

    ## Fix safety
    Unsafe: the drop-in is deleted, so that dracut chooses its network module by itself; images that boot over the network may change.

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

    def check(self, fs: GuestFS, target: Target, mover: Mover) -> Iterator[Finding]:
        if not virt_v2v_converts(mover, target):
            raise NotApplicable("virt-v2v does not carry the guest")
        if fs.is_file(_CONF) and not fs.is_masked(_CONF) and not any(fs.exists(path) for path in _CLIENTS):
            fix = Fix("let dracut choose its network module", Applicability.UNSAFE, (Delete(_CONF),))
            message = "dracut is told to use network-legacy, and dhclient is not installed"
            yield self.finding(WholeFile(_CONF), message, "virt-v2v stops when dracut fails to rebuild the initramfs", fix=fix)
