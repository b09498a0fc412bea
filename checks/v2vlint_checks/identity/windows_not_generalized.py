"""Rule windows-not-generalized."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, Hive, NotApplicable, Rule, Severity, WindowsIdentity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_STATE = "Microsoft\\Windows\\CurrentVersion\\Setup\\State"
_PLAIN = {_SYSTEM: Hive("[ControlSet001\\Control]\n")}


def _state(name: str) -> Hive:
    return Hive(f'[{_STATE}]\n"ImageState"="IMAGE_STATE_{name}"\n')


class WindowsNotGeneralized(Rule):
    """Windows has not been generalized by Sysprep.

    ## What it does
    Reads `ImageState`: Sysprep with `/generalize` leaves `IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE`. For templates.

    ## Why it matters
    Copies have one security identifier, one computer name, one WSUS and KMS client id: domains, update servers and activation mistake them
    for one machine. Clouds call such a disk specialized, and do not create images from it.

    ## References
    - Microsoft, "Sysprep (Generalize) a Windows installation", "Windows Setup States"; Azure, "Create a VM from a generalized image"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_PLAIN, _SOFTWARE: _state("COMPLETE")}, flags=(f"{_SOFTWARE}:{_STATE}:ImageState",)),
        Example({**_PLAIN, _SOFTWARE: _state("GENERALIZE_RESEAL_TO_OOBE")}),
        Example(_PLAIN, title="before Windows Vista nothing says so"),
    )

    def check(self, identity: WindowsIdentity) -> Iterator[Finding]:
        if identity.image_state is None:
            raise NotApplicable("the registry does not say how far it is set up")
        if "GENERALIZE" not in identity.image_state.text.upper():
            message = f"Windows has not been generalized ({identity.image_state.text})"
            yield self.finding(
                identity.image_state.where, message, "copies have one security identifier and one name: run sysprep /generalize"
            )
