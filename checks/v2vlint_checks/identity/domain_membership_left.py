"""Rule domain-membership-left."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Severity, Traces

_FILE = "/etc/krb5.keytab"


class DomainMembershipLeft(Rule):
    """The machine is a member of a domain.

    ## What it does
    Finds the Kerberos keytab, Samba's machine secrets, SSSD's caches and IPA's client state. For templates.

    ## Why it matters
    The domain has one account for the machine. Copies log on with it, invalidate each other's password, and drop out of the domain; its
    keys are in every copy.

    ## References
    - virt-sysprep's `kerberos-hostkeytab`, `samba-db-log`, `sssd-db-log`, `ipa-client`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,)),
        Example({"/etc/krb5.conf": "[libdefaults]\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("membership")
        if not found:
            raise NotApplicable("there is none")
        message = (
            "the secrets of a domain member are stored"
            if len(found) == 1
            else f"the secrets of a domain member are stored ({len(found)} files)"
        )
        yield self.finding(
            found[0], message, "copies act as this machine, and change its password: leave the domain first", related=found[1:20]
        )
