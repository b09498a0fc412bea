"""Agents of hypervisors and clouds in Windows, recognised by their services."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.services import AUTO, WindowsService, WindowsServices
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

AGENTS = {
    "qemu": ("QEMU-GA", "vdservice", "spice-agent"),
    "azure": ("WindowsAzureGuestAgent", "RdAgent"),
    "google": ("GCEAgent", "GCEAgentManager"),
    "amazon": ("AmazonSSMAgent", "Amazon EC2Launch", "Ec2Config"),
    "cloud-init": ("cloudbase-init",),
}
"""Services by the agent families of target profiles (``agents``)."""
CLOUDS = {"azure": "Azure", "google": "Google Compute Engine", "amazon": "Amazon EC2"}
_EC2LAUNCH = "/ProgramData/Amazon/EC2-Windows/Launch"


@dataclass(frozen=True, slots=True)
class WindowsAgents:
    """The existing services, by family. ``ec2launch`` says that EC2Launch v1 is installed, which is a set of scripts without a service."""

    services: tuple[tuple[str, WindowsService], ...]
    ec2launch: bool

    def of(self, family: str) -> tuple[WindowsService, ...]:
        """The services of one family."""
        return tuple(service for name, service in self.services if name == family)

    def runs(self, family: str) -> bool:
        """Whether the agents of a family start automatically."""
        return (family == "amazon" and self.ec2launch) or any(starts(service) for service in self.of(family))


def starts(service: WindowsService) -> bool:
    """Whether a service starts automatically."""
    return service.effective is not None and service.effective <= AUTO


@provides
def parse_agents(services: WindowsServices, fs: GuestFS) -> WindowsAgents:
    """Look up each agent."""
    found = ((family, one) for family, names in AGENTS.items() for one in services.named(*names))
    return WindowsAgents(tuple(found), fs.is_dir(_EC2LAUNCH))
