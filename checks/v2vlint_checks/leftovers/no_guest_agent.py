"""Rule no-guest-agent."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, GuestTools, Mover, Packages, Rule, Severity, Target, WholeFile, agent_called

_STATUS = "/var/lib/dpkg/status"
_BASH = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2\n\n"
_AGENT = "Package: qemu-guest-agent\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:7.2\n"


class NoGuestAgent(Rule):
    """The target's guest agent is not installed.

    ## What it does
    Looks for the agent that the target's host talks to (`guest_agent` of its profile): qemu-guest-agent on KVM, open-vm-tools on VMware.

    ## Why it matters
    The guest runs without it, but clean shutdown from outside, quiesced backups and address reporting need the agent. Install it before
    the move, while the network is known to work.

    ## References
    - virt-v2v installs qemu-guest-agent at the first boot: `convert/convert_linux.ml`, `install_linux_tools`.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_STATUS: _BASH}, flags=("/usr/sbin/qemu-ga",), severity=Severity.INFO),
        Example({_STATUS: _BASH + _AGENT}),
        Example({_STATUS: _BASH}, mover=Mover.VIRT_V2V, title="virt-v2v installs it"),
        Example({"/etc/hostname": "web\n"}, title="nothing is known of the packages"),
        Example({_STATUS: _BASH}, target="ec2-nitro", title="EC2 has no channel to an agent"),
    )

    def check(self, tools: GuestTools, packages: Packages, target: Target, conversion: Conversion) -> Iterator[Finding]:
        agent = agent_called(target.guest_agent)
        if agent is None or not packages.known or conversion.fits:
            return
        if not tools.of(target.guest_agent, *agent.instead):
            message = f"{agent.package} is not installed"
            effect = "the hypervisor can neither shut the guest down cleanly nor freeze it for a backup"
            yield self.finding(WholeFile(agent.program), message, effect)
