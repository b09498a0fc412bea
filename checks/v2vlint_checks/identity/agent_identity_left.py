"""Rule agent-identity-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Delete, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_MINION = "/etc/salt/pki/minion/minion.pem"
_TAILSCALE = "/var/lib/tailscale/tailscaled.state"


class AgentIdentityLeft(Rule):
    """An agent has registered this machine with a service, and every copy uses its identity.

    ## What it does
    Finds the certificates, tokens and ids that agents got for this machine alone: subscription managers, Systems Manager, Azure's agent,
    Salt, Puppet, Chef, Katello, Tailscale, kubelet and others. For templates.

    ## Why it matters
    The service sees one machine instead of many: commands reach the wrong one, licences and networks are shared, and anyone with a copy has
    the machine's rights.

    ## Fix safety
    Unsafe: the agent registers again, or its service has to admit the machine again. There is no fix for agents that do not register by
    themselves.

    ## References
    - virt-sysprep's `rhn-systemid`, `puppet-data-log`, `salt`
    - Red Hat, "Creating an image: subscription-manager clean"; AWS, "SSM Agent: hybrid activations"; Tailscale, "Golden images"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_MINION: "-----BEGIN RSA PRIVATE KEY-----\n"}, flags=(_MINION,), fixed={_MINION: None}),
        Example({_TAILSCALE: "{}\n"}, flags=(_TAILSCALE,), title="nothing registers by itself"),
        Example({"/etc/salt/minion": "master: salt\n"}, title="configured, not registered"),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        if not traces.agents:
            raise NotApplicable("no agent has registered this machine")
        for agent in traces.agents:
            edits = tuple(Delete(place.path) for place in agent.files)
            fix = Fix(f"let {agent.name} register anew", Applicability.UNSAFE, edits) if agent.again else None
            effect = "every copy poses as this machine"
            yield self.finding(agent.files[0], f"{agent.name} has registered this machine", effect, fix=fix, related=agent.files[1:20])
