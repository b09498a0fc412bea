"""Rule medium-inserted."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Rule, Severity, sample_domain, sample_vmx

_ISO = 'sata0:1.deviceType = "cdrom-image"\nsata0:1.fileName = "/iso/install.iso"\n'


class MediumInserted(Rule):
    """A CD or floppy image is inserted.

    ## What it does
    Finds drives for removable media whose definition names an image.

    ## Why it matters
    The image stays behind. Firmware that tries the CD first may start an installer instead of the guest, and a guest that mounts the image
    at boot waits for it.

    ## References
    - virt-v2v keeps such drives and leaves them empty
    """

    severity = Severity.INFO
    kinds = frozenset({"linux", "windows", "other"})
    since = "0.1"
    examples = (
        Example({}, given=(sample_vmx(_ISO),), flags=("guest.vmx:2",), severity=Severity.INFO),
        Example(
            {},
            given=(sample_domain("<disk type='file' device='cdrom'><source file='/x.iso'/><target dev='sda' bus='sata'/></disk>\n"),),
            flags=("guest.xml:3",),
        ),
        Example({}, given=(sample_vmx(_ISO + 'sata0:1.startConnected = "FALSE"\n'),), title="not connected"),
        Example({}, given=(sample_domain("<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>\n"),)),
    )

    def check(self, definition: Definition) -> Iterator[Finding]:
        definition.require()
        for medium in definition.media:
            if medium.path:
                message = f"the {medium.kind} drive holds {medium.path}"
                yield self.finding(medium.where, message, "it does not travel: eject it, and check that the guest does not need it")
