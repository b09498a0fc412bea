"""Rule mail-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/spool/mail/root"


class MailLeft(Rule):
    """Mail is stored.

    ## What it does
    Finds mailboxes and mail queues of the local system. For templates.

    ## Why it matters
    Every copy has the mail of this machine, and sends the mail in its queue again.

    ## Fix safety
    Unsafe: the mail is deleted.

    ## References
    - virt-sysprep's `mail-spool`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/var/spool/mail/root": ""}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("mail")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the mail", Applicability.UNSAFE, traces.deletions("mail"))
        message = "a mailbox or a queued mail is stored" if len(found) == 1 else f"{len(found)} mailboxes or queued mails are stored"
        yield self.finding(found[0], message, "every copy has it, and sends what is queued", fix=fix, related=found[1:20])
