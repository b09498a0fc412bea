"""Rule machine-encrypted."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_vmx


class MachineEncrypted(Rule):
    """VMware encrypts the machine, or part of it.

    ## What it does
    Finds the key safe in a VMX file. If the disks could be read here, only the configuration and the TPM are encrypted.

    ## Why it matters
    Only VMware has the keys: encrypted parts cannot be copied. Remove the encryption there first.

    ## References
    - VMware, "Virtual Machine Encryption"
    """

    severity = Severity.WARNING
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx('encryption.keySafe = "vmware:key/list/..."\n'),), flags=("guest.vmx:1",)),
        Example({}, given=(sample_vmx('scsi0:0.fileName = "a.vmdk"\n'),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        if definition.encrypted:
            effect = "encrypted parts (disks, TPM, firmware variables) are unreadable elsewhere"
            yield self.finding(definition.at("encrypted"), "VMware encrypts this machine", effect)
