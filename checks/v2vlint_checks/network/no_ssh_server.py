"""Rule no-ssh-server."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Rule, Services, Severity, Sshd, Target

_ON = {"/sbin/init": "", "/usr/sbin/sshd": "", "/usr/lib/systemd/system/ssh.service": ""}
_WANTS = "/etc/systemd/system/multi-user.target.wants/ssh.service"


class NoSshServer(Rule):
    """No SSH server starts, where SSH is the usual way in.

    ## What it does
    On clouds (`names_system_disk` of the profile), reports that sshd is installed but not enabled.

    ## Why it matters
    A guest that used to be operated at its console can then be reached only over the network: without an SSH server nobody can log in. An
    appliance with its own web interface needs none.

    ## References
    - docs.aws.amazon.com/vm-import, "Requirements"; learn.microsoft.com, "Prepare Linux for imaging in Azure"
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example(_ON, target="ec2-nitro", flags=("/usr/lib/systemd/system/ssh.service",)),
        Example({**_ON, _WANTS: ""}, target="ec2-nitro"),
        Example(_ON, title="a hypervisor with a console"),
        Example({"/sbin/init": ""}, target="ec2-nitro", title="no sshd at all: something else may be the way in"),
    )

    def check(self, sshd: Sshd, services: Services, target: Target) -> Iterator[Finding]:
        if not target.names_system_disk or not services.init:
            raise NotApplicable("the target has a console, or it is not known what starts")
        if sshd.starts is False and sshd.unit is not None:
            yield self.finding(sshd.unit, "the SSH server does not start", f"on {target.name} there is usually no other way in")
