"""Rule temporary-files-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/tmp/setup.sh"


class TemporaryFilesLeft(Rule):
    """Temporary files are stored.

    ## What it does
    Finds files below /tmp and /var/tmp. For templates.

    ## Why it matters
    Build tools leave their inputs there, and files that were meant to be short-lived are in every copy.

    ## Fix safety
    Unsafe: somebody may have kept something there.

    ## References
    - virt-sysprep's `tmp-files`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/srv/tmp/kept": "1\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("temporary")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the temporary files", Applicability.UNSAFE, traces.deletions("temporary"))
        message = "a temporary file is stored" if len(found) == 1 else f"{len(found)} temporary files are stored"
        yield self.finding(found[0], message, "every copy has it", fix=fix, related=found[1:20])
