"""Rule storage-initiator-name-left."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, NotApplicable, Rule, Severity, Traces

_FILE = "/etc/nvme/hostnqn"


class StorageInitiatorNameLeft(Rule):
    """The name that identifies the machine to network storage is stored.

    ## What it does
    Finds the iSCSI initiator name, the NVMe host NQN and id, and the targets that iSCSI remembers. For templates.

    ## Why it matters
    Storage distinguishes hosts by it. Two copies with the same name access each other's volumes, and a filesystem that two hosts mount is
    destroyed.

    ## References
    - iscsid(8), nvme-gen-hostnqn(1); open-iscsi README: "the initiator name must be unique"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,)),
        Example({"/etc/iscsi/iscsid.conf": "node.startup = manual\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("storage-names")
        if not found:
            raise NotApplicable("there is none")
        message = "the name of a storage client is stored" if len(found) == 1 else f"{len(found)} names of storage clients are stored"
        yield self.finding(found[0], message, "every copy has it: storage takes them for one host", related=found[1:20])
