"""Rule power-button-ignored."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Services, Severity, Target, Unknown, WholeFile

_SYSV = {"/sbin/init": "", "/etc/inittab": "id:3:initdefault:\n"}


class PowerButtonIgnored(Rule):
    """No program in the guest reacts to the power button, which the target uses to shut it down.

    ## What it does
    Without systemd, whose logind does it, looks for acpid or another listener among the services that start.

    ## Why it matters
    A shutdown or a restart from outside has no effect; after a minute the machine is cut off, with its filesystems dirty.

    ## References
    - OpenStack, "Image requirements": acpid; libvirt, virDomainShutdown: ACPI
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example(_SYSV, target="openstack", flags=("/etc/init.d/acpid",)),
        Example({**_SYSV, "/etc/rc.d/rc3.d/S26acpid": ""}, target="openstack"),
        Example({"/usr/lib/systemd/systemd": ""}, target="openstack", title="logind"),
        Example(_SYSV, target="gce", title="nothing is known of it"),
    )

    def check(self, services: Services, target: Target) -> Iterator[Finding | Unknown]:
        if not target.admission.power_button:
            raise NotApplicable(f"nothing is known of how {target.name} shuts a guest down")
        if not services.init:
            yield self.unknown(WholeFile("/sbin/init"), "no init program is known")
        elif services.init != "systemd" and not services.starts("acpid", "acpi", "elogind", "haldaemon", "qemu-guest-agent", "qemu-ga"):
            effect = "a shutdown from outside has no effect, and the machine is cut off"
            yield self.finding(WholeFile("/etc/init.d/acpid"), "nothing listens to the power button", effect)
