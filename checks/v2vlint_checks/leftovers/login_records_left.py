"""Rule login-records-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/log/wtmp"


class LoginRecordsLeft(Rule):
    """Records of logins and of processes are stored.

    ## What it does
    Finds wtmp, btmp, lastlog, faillog, faillock's tallies and process accounting. For templates.

    ## Why it matters
    Every copy shows logins that never happened on it, and may start with locked accounts.

    ## Fix safety
    Unsafe: the records are deleted.

    ## References
    - virt-sysprep's `utmp`, `pacct-log`, `pam-data`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/var/log/wtmp": ""}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("login-records")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the records of logins", Applicability.UNSAFE, traces.deletions("login-records"))
        message = "a record of logins is stored" if len(found) == 1 else f"{len(found)} records of logins are stored"
        yield self.finding(found[0], message, "every copy carries the logins of this machine", fix=fix, related=found[1:20])
