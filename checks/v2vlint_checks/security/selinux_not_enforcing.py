"""Rule selinux-not-enforcing."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Selinux, Severity, sample_boot

_CONFIG = "/etc/selinux/config"


class SelinuxNotEnforcing(Rule):
    """SELinux is installed, and does not enforce its policy.

    ## What it does
    Works out the mode from /etc/selinux/config and the kernel command line (`selinux=0`, `enforcing=0`). For templates.

    ## Why it matters
    If it was disabled for the build, it is disabled in every copy. A guest that ran without SELinux has files without labels: turning it on
    later needs a relabel.

    ## References
    - selinux_config(5); CIS benchmarks, "Ensure the SELinux mode is enforcing"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({**sample_boot(), _CONFIG: "SELINUX=permissive\nSELINUXTYPE=targeted\n"}, flags=(f"{_CONFIG}:1",)),
        Example({**sample_boot(args="ro enforcing=0"), _CONFIG: "SELINUX=enforcing\n"}, flags=("/boot/grub/grub.cfg:2",)),
        Example({**sample_boot(args="ro enforcing=1"), _CONFIG: "SELINUX=permissive\n"}, title="the kernel's arguments win"),
        Example({**sample_boot(), _CONFIG: "SELINUX=enforcing\n"}),
    )

    def check(self, selinux: Selinux) -> Iterator[Finding]:
        if selinux.mode in ("", "enforcing"):
            raise NotApplicable(f"SELinux is {selinux.mode or 'not configured'}")
        yield self.finding(selinux.where, f"SELinux is {selinux.mode}", "every copy runs without it")
