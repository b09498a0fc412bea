"""Rule user-password-set."""

from collections.abc import Iterator

from v2vlint.api import Accounts, Audience, Example, Finding, NotApplicable, Rule, Severity

_PASSWD = "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/srv:/bin/sh\n"
_SHADOW = "/etc/shadow"
_HASH = "$6$saltsalt$hashhashhash"


class UserPasswordSet(Rule):
    """A user of the image has a password, which is the same in every copy.

    ## What it does
    Finds users, root first, whose password is set, and who have a shell. For templates.

    ## Why it matters
    Anyone who learns the password of one copy, or guesses it with the hash in the image, can log in to all of them. Cloud vendors require
    images without passwords: each copy gets its users from cloud-init, an agent or keys. There is no fix, because a locked root cannot use
    the emergency shell: use `passwd -l` if that is acceptable.

    ## References
    - AWS Marketplace, "AMI-based product requirements": no default passwords; Azure, "Certification of VM images"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({"/etc/passwd": _PASSWD, _SHADOW: f"root:{_HASH}:19000::::::\n"}, flags=("/etc/shadow:1",)),
        Example({"/etc/passwd": _PASSWD, _SHADOW: f"root:*:19000::::::\nweb:{_HASH}:19000::::::\n"}, flags=("/etc/shadow:2",)),
        Example({"/etc/passwd": _PASSWD, _SHADOW: f"root:!{_HASH}:19000::::::\nweb:*:19000::::::\n"}, title="locked"),
    )

    def check(self, accounts: Accounts) -> Iterator[Finding]:
        found = [user for user in accounts.users if user.password.state == "set" and (user.has_shell or user.uid == 0)]
        if not found:
            raise NotApplicable("no user has a password")
        for user in found:
            yield self.finding(user.password.where, f"{user.name} has a password", "every copy has the same one")
