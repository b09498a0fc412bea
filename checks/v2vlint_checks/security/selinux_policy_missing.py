"""Rule selinux-policy-missing."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Selinux, Severity, sample_boot

_CONFIG = "/etc/selinux/config"
_POLICY = {"/etc/selinux/targeted/policy/policy.33": "policy\n"}


def _config(mode: str, policy: str) -> dict[str, str | bytes]:
    return {**sample_boot(), **_POLICY, _CONFIG: f"SELINUX={mode}\nSELINUXTYPE={policy}\n"}


class SelinuxPolicyMissing(Rule):
    """SELinux is enforcing, and the configured policy is not installed.

    ## What it does
    Compares `SELINUXTYPE` with the policies in /etc/selinux, if there are any and SELinux is enforcing.

    ## Why it matters
    `Failed to load SELinux policy`, and systemd stops before it starts anything. The usual reason is a mode in the wrong line:
    `SELINUXTYPE=permissive`. It is a warning, because a kernel without SELinux ignores the setting.

    ## References
    - systemd `src/core/selinux-setup.c`; selinux_config(5)
    """

    severity = Severity.WARNING
    since = "0.2"
    predicts = (r"Failed to load SELinux policy",)
    examples = (
        Example(_config("enforcing", "permissive"), flags=(f"{_CONFIG}:2",)),
        Example(_config("enforcing", "targeted")),
        Example(_config("permissive", "minimum"), title="systemd goes on"),
        Example({**sample_boot(), _CONFIG: "SELINUX=enforcing\nSELINUXTYPE=targeted\n"}, title="no policy at all: nothing can be told"),
    )

    def check(self, selinux: Selinux) -> Iterator[Finding]:
        config = selinux.config
        if selinux.mode != "enforcing" or not config.policies:
            raise NotApplicable(f"SELinux is {selinux.mode or 'not configured'}" if config.policies else "no policy is installed")
        if config.policy not in config.policies:
            message = f"SELinux is configured to enforce the policy {config.policy}, but only {', '.join(config.policies)} is installed"
            yield self.finding(config.policy_at, message, "systemd cannot load it, and stops before it starts anything")
