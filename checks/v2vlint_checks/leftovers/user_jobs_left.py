"""Rule user-jobs-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/spool/cron/crontabs/root"


class UserJobsLeft(Rule):
    """Jobs of users for cron or at are stored.

    ## What it does
    Finds crontabs that users have set with crontab(1), and jobs of at(1). For templates: jobs that belong to an image should be in
    /etc/cron.d or a timer.

    ## Why it matters
    Every copy does the same at the same time: backups, reports, renewals.

    ## Fix safety
    Unsafe: the jobs are deleted.

    ## References
    - virt-sysprep's `cron-spool`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/cron.d/backup": "0 3 * * * root backup\n"}, title="of the system"),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("crontabs")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the jobs of users", Applicability.UNSAFE, traces.deletions("crontabs"))
        message = "a job of a user is stored" if len(found) == 1 else f"{len(found)} files with jobs of users are stored"
        yield self.finding(found[0], message, "every copy runs them at the same time", fix=fix, related=found[1:20])
