"""Rule hardware-agent."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Services, Severity

_AGENTS = {
    "Dell OpenManage": ("dataeng", "dsm_om_connsvc", "dsm_om_shrsvc", "dsm_sa_datamgrd", "instsvcdrv", "dcismeng", "mr_cpqScsi"),
    "HPE's management agents": ("hp-health", "hp-asrd", "hp-snmp-agents", "hpsmhd", "amsd", "smad", "hpasmxld", "hp-ams"),
    "Fujitsu ServerView": ("eecd", "srvmagt", "srvmagt_scs"),
    "the baseboard controller's driver": ("ipmi", "ipmievd", "openipmi"),
    "a RAID controller's monitor": ("lsi_mrdsnmpd", "mrmonitor", "MegaRAID", "vivaldiframeworkd", "aacraid-monitor", "arcconf"),
    "a licence dongle's daemon": ("aksusbd", "hasplmd", "haspd", "CodeMeter", "codemeter"),
    "an uninterruptible power supply's monitor": ("apcupsd", "nut-driver", "nut-server", "upsd", "pbeagent"),
    "a sensor monitor": ("lm_sensors", "lm-sensors", "fancontrol", "thermald"),
}
_WANTS = "/etc/systemd/system/multi-user.target.wants"


class HardwareAgent(Rule):
    """A service monitors hardware that a virtual machine does not have.

    ## What it does
    Finds enabled services for server vendors' tools, RAID and management controllers, power supplies, sensors and licence dongles. A
    heuristic by service name.

    ## Why it matters
    They fail or fill the log; a few poll hardware ports for minutes. Software licensed by a dongle stops working. A UPS monitor may shut
    the guest down when it loses contact.

    ## References
    - the vendors' service names
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({"/sbin/init": "", f"{_WANTS}/dataeng.service": ""}, flags=(f"{_WANTS}/dataeng.service",)),
        Example(
            {"/sbin/init": "", "/etc/rc.d/rc3.d/S91hp-health": "", "/etc/rc.d/rc5.d/S91hp-health": "", "/etc/rc3.d/S20aksusbd": ""},
            flags=("/etc/rc.d/rc3.d/S91hp-health", "/etc/rc3.d/S20aksusbd"),
        ),
        Example({"/sbin/init": "", f"{_WANTS}/ssh.service": "", "/usr/lib/systemd/system/dataeng.service": ""}),
    )

    def check(self, services: Services) -> Iterator[Finding]:
        if not services.links:
            raise NotApplicable("no enabled service was found")
        for agent, names in _AGENTS.items():
            links = services.link_files(*names)
            if links:
                message = f"a service starts for hardware of a physical machine: {agent} ({links[0].path.rpartition('/')[2]})"
                yield self.finding(links[0], message, "it fails there, or waits for hardware that does not exist", related=links[1:])
