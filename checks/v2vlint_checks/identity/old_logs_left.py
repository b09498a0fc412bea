"""Rule old-logs-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Delete, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity


class OldLogsLeft(Rule):
    """Old logs are stored, and every copy of this image carries them.

    ## What it does
    Finds rotated logs and journals under /var/log. For templates only.

    ## Why it matters
    They contain addresses, names and accounts of another machine, and take up space in every copy.

    ## Fix safety
    Unsafe: the logs are deleted.

    ## References
    - virt-sysprep's `logfiles`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example(
            {"/var/log/syslog.1": "old\n", "/var/log/syslog": "new\n", "/var/log/messages-20240131": "older\n"},
            flags=("/var/log/syslog.1",),
            fixed={"/var/log/syslog.1": None, "/var/log/messages-20240131": None},
        ),
        Example({"/var/log/syslog": "new\n"}),
    )

    def check(self, identity: Identity) -> Iterator[Finding]:
        if not identity.old_logs:
            raise NotApplicable("no rotated log or journal is stored")
        count = len(identity.old_logs)
        fix = Fix("delete old logs", Applicability.UNSAFE, tuple(Delete(log.path) for log in identity.old_logs))
        message = f"{count} old {'log is' if count == 1 else 'logs are'} stored"
        yield self.finding(identity.old_logs[0], message, "every copy carries the logs of this machine", fix=fix)
