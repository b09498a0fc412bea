"""Rule cloud-agent."""

import re
from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestFS, GuestTools, Line, Rule, Severity, Target, cloud_agents

_STATUS = "/var/lib/dpkg/status"
_WAAGENT = "/etc/waagent.conf"
_PACKAGE = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.2.45-1\n"
_INTRUSIVE = re.compile(r"(?:Provisioning\.(?:Enabled|MonitorHostName)|ResourceDisk\.(?:Format|EnableSwap))\s*=\s*y", re.IGNORECASE)


class CloudAgent(Rule):
    """Another cloud's agent is installed.

    ## What it does
    Finds the agents of Azure, Google Compute Engine and Amazon EC2 on other targets. For Azure's agent, it also finds settings that change
    the machine: provisioning, formatting the resource disk.

    ## Why it matters
    The agents query a metadata service that does not answer and fill the log. Azure's agent may also set the host name and format the
    disk it takes for the temporary one.

    ## References
    - GoogleCloudPlatform/compute-image-import removes foreign agents in its `translate.py` scripts.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_STATUS: _PACKAGE.format("google-guest-agent")}, flags=(f"{_STATUS}:1",), severity=Severity.INFO),
        Example(
            {_STATUS: _PACKAGE.format("walinuxagent"), _WAAGENT: "# agent\nResourceDisk.Format=y\n"},
            flags=(f"{_WAAGENT}:2",),
            severity=Severity.WARNING,
        ),
        Example({_STATUS: _PACKAGE.format("walinuxagent"), _WAAGENT: "ResourceDisk.Format=n\n"}, target="azure"),
        Example({_STATUS: _PACKAGE.format("cloud-init")}, title="belongs to no cloud"),
    )

    def check(self, fs: GuestFS, tools: GuestTools, target: Target) -> Iterator[Finding]:
        for family, cloud in cloud_agents().items():
            found = tools.of(family)
            if not found or family in target.agents:
                continue
            line = _intrusive(fs) if family == "azure" else None
            if line is not None:
                message = f"the agent of {cloud} is installed and configured to change the machine ({line.text.strip()})"
                effect = "it may format a disk it takes for Azure's temporary one, or change the host name"
                yield self.finding(line.where, message, effect, severity=Severity.WARNING, related=(found[0].where,))
            else:
                message = f"the agent of {cloud} is installed ({tools.words(family)})"
                yield self.finding(found[0].where, message, "it queries a metadata service that does not exist, and fills the log")


def _intrusive(fs: GuestFS) -> Line | None:
    text = fs.text(_WAAGENT)
    return next((line for line in text.lines() if _INTRUSIVE.match(line.text.strip())), None) if text else None
