"""Rule machine-id-set."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity

_ID = "5f2c8d3a6b1e4f7c9a0d2e8b7c6f5a41\n"


class MachineIdSet(Rule):
    """The machine id is set: every copy of this image has the same one.

    ## What it does
    Finds a filled /etc/machine-id, and a copy in /var/lib/dbus that is a file of its own. For templates: a guest that moves keeps its id.

    ## Why it matters
    DHCP servers tell clients apart by it and hand the same address to all copies; journals and monitoring mix the machines up.

    ## Fix safety
    Unsafe: the guest loses its identity. systemd writes a new id at the next boot; boot entries named after the old one stay valid.

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
            raise NotApplicable("the machine id is made at first boot")
        fix = Fix("let the guest make a new machine id", Applicability.UNSAFE, identity.forget_machine_id)
        related = (identity.dbus_id,) if identity.machine_id and identity.dbus_id else ()
        yield self.finding(where, "the machine id is set", "every copy has it: DHCP gives them one address", fix=fix, related=related)
