"""Rule persistent-net-rules."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    CardNames,
    Delete,
    Edit,
    Example,
    Finding,
    Fix,
    Network,
    NetworkLanding,
    NotApplicable,
    OsInfo,
    Rule,
    Severity,
    Stage,
    Survival,
    Target,
    UdevNet,
    UdevNetRule,
    sample_domain,
    sample_target,
)

_PATH = "/etc/udev/rules.d/70-persistent-net.rules"
_COMMENT = "# PCI device 0x15ad:0x07b0 (vmxnet3)\n"
_RULE = (
    _COMMENT + 'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:50:56:9a:bc:01", '
    'ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"\n'
)
_RHEL6 = {
    "/sbin/init": "",
    "/etc/sysconfig/network-scripts/ifup-eth": "",
    "/etc/rc.d/rc3.d/S10network": "",
    "/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n",
    "/lib/udev/rules.d/75-persistent-net-generator.rules": 'ACTION=="add", SUBSYSTEM=="net", IMPORT{program}="write_net_rules"\n',
}
_FITS = 'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="virtio_net", NAME="lan0"\n'
_OTHER = 'SUBSYSTEM=="net", ACTION=="add", KERNELS=="0000:0b:00.0", DRIVERS=="vmxnet3", NAME="lan1"\n'
_ALMA9 = OsInfo("linux", "almalinux", "rhel", "AlmaLinux", "9.3", "x86_64")


class PersistentNetRules(Rule):
    """A udev rule names a network card by its MAC address or its place.

    ## What it does
    Finds rules under /etc/udev/rules.d that give a network card a fixed name, both those written by old generators to
    `70-persistent-net.rules` and custom ones. Rules with a MAC address count if the target assigns new ones, rules with a bus address or a
    driver if no card there matches them, and all of them on Red Hat Enterprise Linux 9 and later, which ignores them.

    ## Why it matters
    The old address keeps the name `eth0` reserved: the generator names the new card `eth1`, and the configuration of `eth0` does not
    apply. Without the generator the card falls back to its default name.

    ## Fix safety
    Safe: the rules no longer match any card. A file with nothing but generated rules is deleted; from other files only the rule is removed.

    ## References
    - GCE's import and virt-sysprep delete the file; Microsoft's *linux-hyperv-issue* and access.redhat.com/solutions/514203 describe the
    symptom
    - Forklift, MTV-5530: Red Hat Enterprise Linux 9 and 10 need `.link` files
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
    since = "0.1"
    predicts = (r"Device eth\d+ does not seem to be present", r"udev: renamed network interface eth0 to eth1")
    examples = (
        Example(
            {**_RHEL6, _PATH: _RULE},
            target="azure",
            flags=(f"{_PATH}:2",),
            severity=Severity.ERROR,
            fixed={_PATH: None},
        ),
        Example(
            {_PATH: f'{_RULE}SUBSYSTEM=="net", RUN+="/usr/sbin/ethtool -K $name tso off"\n'},
            target="ec2-nitro",
            flags=(f"{_PATH}:2",),
            fixed={_PATH: f'{_COMMENT}SUBSYSTEM=="net", RUN+="/usr/sbin/ethtool -K $name tso off"\n'},
            title="somebody has added a rule of another kind",
        ),
        Example({_PATH: _RULE}, target="ec2-nitro", flags=(f"{_PATH}:2",), severity=Severity.WARNING, fixed={_PATH: None}),
        Example(
            {
                "/etc/udev/rules.d/10-lan.rules": (
                    'ACTION=="add", SUBSYSTEM=="net", KERNELS=="0000:0b:00.0", DRIVERS=="vmxnet3", NAME="lan0"\n'
                    'SUBSYSTEM=="block", NAME="x"\n'
                )
            },
            flags=("/etc/udev/rules.d/10-lan.rules:1",),
            fixed={"/etc/udev/rules.d/10-lan.rules": 'SUBSYSTEM=="block", NAME="x"\n'},
        ),
        Example(
            {"/etc/udev/rules.d/10-lan.rules": 'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="virtio_net", NAME="lan0"\n'},
            title="the target's card has this driver",
        ),
        Example(
            {"/etc/udev/rules.d/10-lan.rules": 'SUBSYSTEM=="net", KERNELS=="0000:00:03.0", NAME="lan0"\n'},
            flags=("/etc/udev/rules.d/10-lan.rules:1",),
            severity=Severity.INFO,
            title="a card there may have this address",
        ),
        Example(
            {"/etc/udev/rules.d/10-lan.rules": f"{_FITS}{_OTHER}"},
            flags=("/etc/udev/rules.d/10-lan.rules:2",),
            fixed={"/etc/udev/rules.d/10-lan.rules": _FITS},
            title="a rule before it fits",
        ),
        Example(
            {_PATH: _RULE + _RULE.replace(":01", ":02").replace("eth0", "eth1")},
            given=(CardNames(macs=(("eth0", "00:50:56:9a:bc:01"),)),),
            target="azure",
            flags=(f"{_PATH}:4",),
            fixed={_PATH: f"{_RULE}{_COMMENT}"},
            title="one of the cards has its address there",
        ),
        Example({_PATH: _RULE}, given=(_ALMA9,), flags=(f"{_PATH}:2",), title="ignored from Red Hat Enterprise Linux 9 on"),
        Example({_PATH: _RULE}, title="the target keeps the MAC address"),
        Example(
            {**_RHEL6, _PATH: _RULE},
            given=(sample_domain("<interface type='network'><mac address='00:50:56:9a:bc:99'/></interface>\n"),),
            flags=(f"{_PATH}:2",),
            severity=Severity.ERROR,
            fixed={_PATH: None},
            title="the target keeps addresses, but by its definition the machine has another",
        ),
        Example({_PATH: "# " + _RULE.split("\n")[1] + "\n"}, target="azure"),
        Example(
            {f"{_PATH}.bak": _RULE, "/lib/udev/rules.d/80-net-setup-link.rules": 'NAME=="", NAME="$env{ID_NET_NAME}"\n'}, target="azure"
        ),
        Example(
            {_PATH: _RULE},
            given=(sample_target(macs=("52:54:00:00:00:01",)),),
            flags=(f"{_PATH}:2",),
            severity=Severity.WARNING,
            fixed={_PATH: None},
            title="the machine there has an address of its own",
        ),
    )

    def check(self, udev: UdevNet, landing: NetworkLanding, os: OsInfo, target: Target) -> Iterator[Finding]:
        if not udev.rules:
            raise NotApplicable("no udev rule names a network card")
        ignored = os.family == "rhel" and os.major >= 9 and os.distro != "fedora"
        gone = tuple(rule for rule in udev.rules if landing.fit(rule.conditions) is Survival.LOST)
        for rule in udev.rules:
            survival = landing.fit(rule.conditions)
            if survival is Survival.KEPT and not ignored:
                continue
            lost = survival is Survival.LOST
            by = f"the MAC address {rule.mac}" if rule.mac else f"its place {rule.hardware[0]}" if rule.hardware else "a rule"
            # An error only if this rule is what gives a configured card its name, and no other card has a configuration.
            waits = lost and landing.cut_off and any(pin.where == rule.where for loss in landing.losses for pin in loss.pins)
            # Where addresses are kept, the definition says that the card was gone before.
            stale = target.carries_mac and rule.mac is not None and lost and not ignored
            yield self.finding(
                rule.where,
                f"a udev rule names the card with {by} {rule.name}",
                _effect(rule, landing.network, survival),
                severity=Severity.ERROR if waits else Severity.WARNING if (lost or ignored) and not stale else Severity.INFO,
                fix=_forget(rule, udev, gone) if lost else None,
            )


def _effect(rule: UdevNetRule, network: Network, survival: Survival) -> str:
    if survival is Survival.KEPT:
        return f"the card is not named {rule.name}: this release uses .link files, and names cards by place"
    if survival is Survival.UNSURE:
        return f"the new card may not match the rule, and is then not named {rule.name}"
    if rule.mac is not None and network.udev.generator is not None:
        return f"{rule.name} stays reserved for a card that is gone; the new one gets the next number and no configuration"
    return f"the new card does not match the rule and is not named {rule.name}"


def _forget(rule: UdevNetRule, udev: UdevNet, gone: tuple[UdevNetRule, ...]) -> Fix:
    path = rule.where.path
    mates = [other for other in udev.rules if other.where.path == path]
    whole = rule.is_generated and rule.alone and all(other.mac is not None and other in gone for other in mates)
    edits: tuple[Edit, ...] = (Delete(path),) if whole else rule.remove
    return Fix(f"delete the udev rules in {path}" if whole else f"delete the udev rule for {rule.name}", Applicability.SAFE, edits)
