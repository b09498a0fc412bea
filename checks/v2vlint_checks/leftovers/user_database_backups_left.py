"""Rule user-database-backups-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/etc/shadow-"


class UserDatabaseBackupsLeft(Rule):
    """Backups of the user database are stored.

    ## What it does
    Finds `/etc/shadow-` and its siblings, which useradd(8) and vipw(8) leave, and Debian's copies in /var/backups. For templates.

    ## Why it matters
    A password that was changed or removed is still there, as a hash.

    ## Fix safety
    Safe: tools recreate them with the next change, and nothing reads them automatically.

    ## References
    - virt-sysprep's `passwd-backups`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/shadow": "root:*:19000:0:99999:7:::\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("passwd-backups")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the backups of the user database", Applicability.SAFE, traces.deletions("passwd-backups"))
        message = "a backup of the user database is stored" if len(found) == 1 else f"{len(found)} backups of the user database are stored"
        yield self.finding(found[0], message, "hashes of old passwords are in every copy", fix=fix, related=found[1:20])
