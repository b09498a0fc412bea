"""Rule refclock-device."""

import re
from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, NotApplicable, Rule, Severity, Target, TimeSources, comment_out

_OWNERS = (
    (re.compile(r"/dev/ptp_hyperv"), "Hyper-V"),
    (re.compile(r"/dev/ptp_kvm"), "KVM"),
    (re.compile(r"/dev/ptp_ena"), "EC2"),
    (re.compile(r"/dev/ptp\d+"), "a host that offers one"),
)


class RefclockDevice(Rule):
    """chronyd reads a host clock that the target does not have.

    ## What it does
    Finds `refclock PHC /dev/ptp…` in chrony's configuration and the files it includes whose device the target does not offer
    (`ptp_clocks` of its profile).

    ## Why it matters
    chronyd does not start without the device, whatever other servers it has ("Could not open PHC"): the clock is never set.

    ## Fix safety
    Safe: the line is commented out. The rest of the configuration still applies.

    ## References
    - chrony.conf(5); gardenlinux/gardenlinux#2562 (fatal when the device is absent), Azure/WALinuxAgent#3038
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"Could not open PHC", r"Could not open /dev/ptp")
    examples = (
        Example(
            {"/etc/chrony/chrony.conf": "pool 2.debian.pool.ntp.org iburst\nrefclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n"},
            flags=("/etc/chrony/chrony.conf:2",),
            fixed={
                "/etc/chrony/chrony.conf": "pool 2.debian.pool.ntp.org iburst\n#refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n"
            },
        ),
        Example(
            {
                "/etc/chrony.conf": "confdir /etc/chrony.d\n",
                "/etc/chrony.d/azure.conf": "refclock PHC /dev/ptp0:extpps poll 3\n",
                "/etc/chrony.d/azure.conf.bak": "refclock PHC /dev/ptp1\n",
            },
            flags=("/etc/chrony.d/azure.conf:1",),
        ),
        Example({"/etc/chrony/chrony.conf": "refclock PHC /dev/ptp_hyperv poll 3\n"}, target="azure"),
        Example({"/etc/chrony.conf": "refclock PHC /dev/ptp_ena poll 0\n"}, target="ec2-nitro", title="the clock of EC2's card"),
        Example({"/etc/chrony/chrony.conf": "refclock PHC /dev/ptp_kvm poll 3\n"}, title="KVM's own"),
        Example({"/etc/chrony/chrony.conf": "#refclock PHC /dev/ptp_hyperv poll 3\nrefclock SHM 0\n"}),
        Example(
            {"/etc/chrony/chrony.conf": "pool x.pool.ntp.org\n", "/etc/chrony/conf.d/azure.conf": "refclock PHC /dev/ptp_hyperv\n"},
            title="the folder is not included",
        ),
    )

    def check(self, times: TimeSources, target: Target) -> Iterator[Finding]:
        if not times.refclocks:
            raise NotApplicable("chronyd reads no clock of the host")
        for clock in times.refclocks:
            device = clock.device.value.split(":")[0]
            owner = next((owner for pattern, owner in _OWNERS if pattern.fullmatch(device)), None)
            if clock.driver != "PHC" or owner is None or device in target.ptp_clocks:
                continue
            yield self.finding(
                clock.where,
                f"chronyd reads the clock {device}, which belongs to {owner}",
                f"without that device on {target.name} chronyd does not start, and nothing sets the clock",
                fix=Fix(f"stop using {device}", Applicability.SAFE, (comment_out(clock.where),)),
            )
