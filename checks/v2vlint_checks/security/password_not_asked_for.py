"""Rule password-not-asked-for."""

from collections.abc import Iterator

from v2vlint.api import Accounts, Applicability, Audience, Example, Finding, Fix, ReplaceText, Rule, Severity

_PASSWD = "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/srv:/bin/sh\nftp:x:14:50::/var/ftp:/sbin/nologin\n"
_SHADOW = "/etc/shadow"


class PasswordNotAskedFor(Rule):
    """A user logs in without a password.

    ## What it does
    Finds users with a shell whose password field is empty. For templates.

    ## Why it matters
    Anybody at a console can log in as that user. Over SSH it depends on `PermitEmptyPasswords`, over `su` and other services on PAM's
    `nullok`.

    ## Fix safety
    Unsafe: the account is locked. SSH keys and `sudo` from another user still work.

    ## References
    - shadow(5): "If the password field is empty, no password is required"; CIS benchmarks, "Ensure password fields are not empty"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example(
            {"/etc/passwd": _PASSWD, _SHADOW: "root::19000:0:99999:7:::\nweb:!:19000:0:99999:7:::\nftp::1::::::\n"},
            flags=("/etc/shadow:1",),
            fixed={_SHADOW: "root:!:19000:0:99999:7:::\nweb:!:19000:0:99999:7:::\nftp::1::::::\n"},
        ),
        Example(
            {"/etc/passwd": "root::0:0:root:/root:/bin/bash\n"},
            flags=("/etc/passwd:1",),
            fixed={"/etc/passwd": "root:!:0:0:root:/root:/bin/bash\n"},
        ),
        Example({"/etc/passwd": _PASSWD, _SHADOW: "root:*:19000:0:99999:7:::\n"}),
    )

    def check(self, accounts: Accounts) -> Iterator[Finding]:
        for user in accounts.users:
            if user.password.state == "empty" and user.has_shell:
                fix = Fix(f"lock the password of {user.name}", Applicability.UNSAFE, (ReplaceText(user.password.where, "", "!"),))
                yield self.finding(
                    user.password.where, f"{user.name} logs in without a password", "anyone at a console can log in as that user", fix=fix
                )
