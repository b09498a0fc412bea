"""Rule nobody-provisions."""

from collections.abc import Iterator

from v2vlint.api import Audience, CloudInit, Example, Finding, GuestTools, NotApplicable, Packages, Rule, Severity, Target, WholeFile

_STATUS = "/var/lib/dpkg/status"
_PACKAGE = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n"
_RUNS = {"/usr/bin/cloud-init": "#!/usr/bin/python3\n", "/usr/lib/systemd/systemd": ""}
_UNIT = "/etc/systemd/system/multi-user.target.wants/cloud-init.service"


class NobodyProvisions(Rule):
    """No program in the image sets up a new machine on the target.

    ## What it does
    Looks for cloud-init and for the agents that the target's profile lists in `admission.provisioners`.

    ## Why it matters
    The cloud passes host name, users, keys and network settings to a program in the guest. Without one, new machines cannot be told apart,
    nobody can log in with the chosen key, and Azure reports after 20 minutes that provisioning has timed out.

    ## References
    - Azure, "Linux image requirements": waagent or cloud-init; OpenStack, "Image requirements": "Process user data and other metadata
      (cloud-init)"; Google, "Building custom images": the guest environment; AWS, "Create your own shared AMI"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_STATUS: _PACKAGE.format("bash")}, target="openstack", flags=("/usr/bin/cloud-init",)),
        Example({_STATUS: _PACKAGE.format("bash"), **_RUNS, _UNIT: "[Unit]\n"}, target="openstack"),
        Example({_STATUS: _PACKAGE.format("walinuxagent")}, target="azure", title="Azure's own agent"),
        Example({_STATUS: _PACKAGE.format("bash")}, title="KVM asks for none"),
    )

    def check(self, cloud_init: CloudInit, tools: GuestTools, packages: Packages, target: Target) -> Iterator[Finding]:
        wanted = target.admission.provisioners
        if not wanted:
            raise NotApplicable(f"{target.name} asks for none")
        if not packages.known or cloud_init.runs or tools.of(*wanted):
            return
        effect = "new machines get neither name nor users nor keys"
        yield self.finding(WholeFile("/usr/bin/cloud-init"), f"nothing sets up a new machine: {' or '.join(wanted)} is expected", effect)
