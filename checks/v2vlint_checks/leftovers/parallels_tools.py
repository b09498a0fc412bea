"""Rule parallels-tools."""

from collections.abc import Iterator

from v2vlint.api import (
    Example,
    Finding,
    GuestTools,
    Mover,
    Refusals,
    Rule,
    Severity,
    Target,
)

_INSTALL = "/usr/lib/parallels-tools/install"


class ParallelsTools(Rule):
    """Parallels' or Virtuozzo's guest tools are installed.

    ## What it does
    Finds Parallels Tools. No shipped target can use them.

    ## Why it matters
    Their services fail, and their X and shared-folder settings name devices that no longer exist. Uninstall them on the source:
    `/usr/lib/parallels-tools/install -r`.

    ## References
    - virt-v2v runs that command: `convert/convert_linux.ml`.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_INSTALL: "#!/bin/bash\n"}, flags=(_INSTALL,), severity=Severity.WARNING),
        Example({_INSTALL: "#!/bin/bash\n"}, mover=Mover.VIRT_V2V, flags=(_INSTALL,), severity=Severity.INFO),
        Example({"/usr/lib/os-release": "ID=debian\n"}),
    )

    def check(self, tools: GuestTools, target: Target, refusals: Refusals) -> Iterator[Finding]:
        found = tools.of("parallels")
        if found:
            removed = refusals.converts
            effect = "virt-v2v uninstalls them" if removed else "their services fail at every boot"
            severity = Severity.INFO if removed else Severity.WARNING
            yield self.finding(found[0].where, f"Parallels Tools are installed ({tools.words('parallels')})", effect, severity=severity)
