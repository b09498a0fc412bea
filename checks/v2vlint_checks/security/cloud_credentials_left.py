"""Rule cloud-credentials-left."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Severity, Traces

_FILE = "/root/.aws/credentials"


class CloudCredentialsLeft(Rule):
    """Credentials of a user for clouds, registries or services are stored.

    ## What it does
    Finds the files where command-line tools keep them: AWS, Google Cloud, Azure, container registries, kubectl, git, netrc, databases,
    Vault, npm, PyPI, Terraform, GitHub. Their content is not read.

    ## Why it matters
    Whoever gets a copy can use them.

    ## References
    - the tools' own documentation of their credential files
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,)),
        Example({"/root/.aws/config": "[default]\nregion = eu-central-1\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("credentials")
        if not found:
            raise NotApplicable("there is none")
        message = (
            "credentials of a user may be stored" if len(found) == 1 else f"{len(found)} files with credentials of users may be stored"
        )
        yield self.finding(
            found[0], message, "every copy can use them: remove them, and withdraw them where they are known", related=found[1:20]
        )
