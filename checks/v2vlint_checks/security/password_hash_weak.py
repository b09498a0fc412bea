"""Rule password-hash-weak."""

from collections.abc import Iterator

from v2vlint.api import Accounts, Audience, Example, Finding, NotApplicable, Rule, Severity

_PASSWD = "root:x:0:0:root:/root:/bin/bash\n"
_SHADOW = "/etc/shadow"


class PasswordHashWeak(Rule):
    """A password is stored with a hash method that allows fast guessing.

    ## What it does
    Finds hashes weaker than sha512crypt and yescrypt, by crypt(5): DES, MD5, SHA-1, SHA-256, NT. Locked accounts are included, because
    `usermod -U` makes their hashes valid again. For templates.

    ## Why it matters
    Anyone with a copy of the image has the hash, and can try billions of passwords per second for the older methods. Setting a new password
    replaces the hash; it cannot be converted.

    ## References
    - crypt(5); login.defs(5), `ENCRYPT_METHOD`; CIS benchmarks, "Ensure password hashing algorithm is up to date"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({"/etc/passwd": _PASSWD, _SHADOW: "root:$1$salt$hash:19000::::::\n"}, flags=("/etc/shadow:1",)),
        Example({"/etc/passwd": _PASSWD, _SHADOW: "root:!ab01FAX.bQRSU:19000::::::\n"}, flags=("/etc/shadow:1",), title="locked, with DES"),
        Example({"/etc/passwd": _PASSWD, _SHADOW: "root:$y$j9T$salt$hash:19000::::::\n"}),
        Example({"/etc/passwd": _PASSWD, _SHADOW: "root:$6$salt$hash:19000::::::\n"}),
    )

    def check(self, accounts: Accounts) -> Iterator[Finding]:
        if not any(user.password.scheme for user in accounts.users):
            raise NotApplicable("no password is stored")
        for user in accounts.users:
            if user.password.is_weak:
                effect = "anyone who has a copy can try passwords against it quickly"
                yield self.finding(user.password.where, f"the password of {user.name} is hashed with {user.password.scheme}", effect)
