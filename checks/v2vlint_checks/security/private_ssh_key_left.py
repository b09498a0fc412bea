"""Rule private-ssh-key-left."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Severity, Traces

_FILE = "/root/.ssh/id_ed25519"


class PrivateSshKeyLeft(Rule):
    """A private SSH key of a user is stored.

    ## What it does
    Finds private keys in the `.ssh` folder of every user. For templates.

    ## Why it matters
    Anyone with a copy can log in wherever the key is accepted.

    ## References
    - virt-sysprep's `ssh-userdir`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,)),
        Example({"/root/.ssh/id_ed25519.pub": "ssh-ed25519 AAAA\n"}, title="a public one"),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("private-keys")
        if not found:
            raise NotApplicable("there is none")
        message = "a private SSH key of a user is stored" if len(found) == 1 else f"{len(found)} private SSH keys of users are stored"
        yield self.finding(
            found[0],
            message,
            "every copy can log in wherever the key is accepted: remove it, and revoke it there",
            related=found[1:20],
        )
