"""Rule editor-backups-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/etc/hosts~"


class EditorBackupsLeft(Rule):
    """Backups of configuration files are stored.

    ## What it does
    Finds files in /etc and home folders that editors and package managers put aside. For templates.

    ## Why it matters
    The old file still has values that were changed later, such as passwords; some programs read every file of a folder.

    ## Fix safety
    Unsafe: somebody may want the old file.

    ## References
    - virt-sysprep's `backup-files`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/hosts": "127.0.0.1 localhost\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("backups")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the backups", Applicability.UNSAFE, traces.deletions("backups"))
        message = (
            "a backup of a configuration file is stored" if len(found) == 1 else f"{len(found)} backups of configuration files are stored"
        )
        yield self.finding(found[0], message, "old values, maybe passwords, are in every copy", fix=fix, related=found[1:20])
