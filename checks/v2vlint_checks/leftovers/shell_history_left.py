"""Rule shell-history-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/root/.bash_history"


class ShellHistoryLeft(Rule):
    """The history of a shell or of another interactive program is stored.

    ## What it does
    Finds histories of shells, databases and editors in every home folder. For templates.

    ## Why it matters
    Every copy shows what was typed while the image was built, including passwords.

    ## Fix safety
    Unsafe: the histories are deleted.

    ## References
    - virt-sysprep's `bash-history`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/root/.bash_history": "", "/root/.bashrc": "alias ll=ls\n"}, title="an empty one says nothing"),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("history")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the histories", Applicability.UNSAFE, traces.deletions("history"))
        message = "a history of what was typed is stored" if len(found) == 1 else f"{len(found)} histories of what was typed are stored"
        yield self.finding(found[0], message, "every copy shows it, passwords that were typed among it", fix=fix, related=found[1:20])
