"""Rule cloud-init-state-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/lib/cloud/data/instance-id"


class CloudInitStateLeft(Rule):
    """cloud-init remembers a machine that it has set up.

    ## What it does
    Finds what cloud-init keeps below /var/lib/cloud and its logs. For templates.

    ## Why it matters
    cloud-init recognises a new copy by its instance id, and sets it up. If there is no id, or the same one, as with NoCloud seeds, a copy
    keeps the keys, users and network of the first machine; and user data, including secrets, can be read in every copy.

    ## Fix safety
    Unsafe: cloud-init sets the machine up again at the next boot.

    ## References
    - cloud-init's `cloud-init clean --logs`
    - cloud-init documentation, "First boot determination"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example(
            {"/etc/cloud/cloud.cfg": "users: [default]\n", "/var/lib/cloud/seed/nocloud/meta-data": "instance-id: a\n"},
            title="a seed is on purpose",
        ),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("cloud-init")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("let cloud-init start anew", Applicability.UNSAFE, traces.deletions("cloud-init"))
        message = "cloud-init has set this machine up" if len(found) == 1 else f"cloud-init has set this machine up ({len(found)} files)"
        yield self.finding(
            found[0], message, "copies may keep its keys, users and network, and show its user data", fix=fix, related=found[1:20]
        )
