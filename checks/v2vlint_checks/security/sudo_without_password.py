"""Rule sudo-without-password."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Severity, Sudoers

_SUDOERS = "/etc/sudoers"
_PART = "/etc/sudoers.d/90-build"


class SudoWithoutPassword(Rule):
    """A user becomes root without a password.

    ## What it does
    Finds `NOPASSWD` and `!authenticate` in sudoers and the files that it includes, and `nopass` of doas. For templates.

    ## Why it matters
    Anything that runs as that user can become root: a web application, or the holder of a stolen key. Builders (Packer, Vagrant,
    cloud-init's default user) leave such rules behind. cloud-init writes its own in each copy, so the image does not need them.

    ## References
    - sudoers(5), "NOPASSWD and PASSWD"; doas.conf(5); CIS benchmarks, "Ensure users must provide password for privilege escalation"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example(
            {
                _SUDOERS: "root ALL=(ALL:ALL) ALL\n%wheel ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n",
                _PART: "vagrant ALL=(ALL) NOPASSWD: ALL\n",
            },
            flags=(f"{_PART}:1",),
        ),
        Example({_SUDOERS: "Defaults:deploy !authenticate\n"}, flags=(f"{_SUDOERS}:1",)),
        Example({_SUDOERS: "ci ALL=(ALL) \\\n    NOPASSWD: /bin/systemctl\n"}, flags=(f"{_SUDOERS}:1",), title="over two lines"),
        Example({"/etc/doas.conf": "permit nopass build\n"}, flags=("/etc/doas.conf:1",), title="doas"),
        Example(
            {_SUDOERS: "# %wheel ALL=(ALL) NOPASSWD: ALL\n%wheel ALL=(ALL) ALL\n", _PART: "x ALL=(ALL) NOPASSWD: ALL\n"},
            title="not included",
        ),
        Example(
            {_SUDOERS: "#includedir /etc/sudoers.d\n", "/etc/sudoers.d/x.bak": "x ALL=(ALL) NOPASSWD: ALL\n"},
            title="a name with a dot is not read",
        ),
    )

    def check(self, sudoers: Sudoers) -> Iterator[Finding]:
        if not sudoers.free:
            raise NotApplicable("everybody is asked for a password")
        for one in sudoers.free:
            yield self.finding(one.where, f"{one.who} becomes root without a password", "whatever runs as that user is root")
