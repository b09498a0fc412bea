"""Rule crash-data-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/crash/202401011200/vmcore"


class CrashDataLeft(Rule):
    """Crash dumps are stored.

    ## What it does
    Finds kernel dumps, core dumps of systemd and apport, and reports of ABRT. For templates.

    ## Why it matters
    A dump contains memory: keys, passwords and personal data of the machine that crashed, in every copy.

    ## Fix safety
    Unsafe: the dumps are deleted.

    ## References
    - virt-sysprep's `abrt-data`, `crash-data`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/kdump.conf": "path /var/crash\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("crash-data")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the crash dumps", Applicability.UNSAFE, traces.deletions("crash-data"))
        message = "a crash dump is stored" if len(found) == 1 else f"{len(found)} files of crash dumps are stored"
        yield self.finding(found[0], message, "every copy carries the memory of this machine", fix=fix, related=found[1:20])
