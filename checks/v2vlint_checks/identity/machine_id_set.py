"""Rule machine-id-set."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity

_ID = "5f2c8d3a6b1e4f7c9a0d2e8b7c6f5a41\n"


class MachineIdSet(Rule):
    """The machine ID is set, so every copy of this image has the same one.

    ## What it does
    Finds a non-empty /etc/machine-id, and a copy in /var/lib/dbus that is a separate file. For templates only: a moved guest keeps its ID.

    ## Why it matters
    DHCP servers identify clients by it and give all copies the same address; journals and monitoring mix the machines up.

    ## Fix safety
    Unsafe: the guest loses its identity. systemd writes a new ID at the next boot; boot entries named after the old one stay valid.

    ## References
    - machine-id(5); virt-sysprep's `machine-id`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example(
            {"/etc/machine-id": _ID, "/var/lib/dbus/machine-id": _ID},
            flags=("/etc/machine-id:1",),
            fixed={"/etc/machine-id": "", "/var/lib/dbus/machine-id": None},
        ),
        Example({"/etc/machine-id": ""}),
        Example({"/etc/machine-id": "uninitialized\n"}),
    )

    def check(self, identity: Identity) -> Iterator[Finding]:
        where = identity.machine_id.where if identity.machine_id else identity.dbus_id
        if where is None:
            raise NotApplicable("the machine ID is created at first boot")
        fix = Fix("let the guest create a new machine ID", Applicability.UNSAFE, identity.forget_machine_id)
        related = (identity.dbus_id,) if identity.machine_id and identity.dbus_id else ()
        yield self.finding(
            where, "the machine ID is set", "every copy has it, and DHCP gives them all one address", fix=fix, related=related
        )
