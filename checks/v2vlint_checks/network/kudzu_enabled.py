"""Rule kudzu-enabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Delete,
    Example,
    Finding,
    Fix,
    Mover,
    NotApplicable,
    Refusals,
    Rule,
    Services,
    Severity,
)


class KudzuEnabled(Rule):
    """kudzu reconfigures hardware at boot.

    ## What it does
    Finds guests that start kudzu (Red Hat Enterprise Linux 5 and contemporaries).

    ## Why it matters
    It notices that the old card is gone and a new one is present, removes the old one's configuration (`ifcfg-eth0.bak`), and may wait for
    answers on the console.

    ## Fix safety
    Safe: it is disabled, as virt-v2v does. Virtual hardware needs no detection.

    ## References
    - virt-v2v `convert/convert_linux.ml`, `unconfigure_kudzu`; access.redhat.com/solutions/514203
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/sbin/init": "", "/etc/rc.d/rc3.d/S05kudzu": "", "/etc/rc.d/rc5.d/S05kudzu": ""},
            flags=("/etc/rc.d/rc3.d/S05kudzu",),
            severity=Severity.WARNING,
            fixed={"/etc/rc.d/rc3.d/S05kudzu": None, "/etc/rc.d/rc5.d/S05kudzu": None},
        ),
        Example(
            {"/sbin/init": "", "/etc/rc.d/rc3.d/S05kudzu": ""},
            mover=Mover.VIRT_V2V,
            flags=("/etc/rc.d/rc3.d/S05kudzu",),
            severity=Severity.INFO,
        ),
        Example({"/sbin/init": "", "/etc/rc.d/rc3.d/K95kudzu": "", "/etc/init.d/kudzu": ""}),
    )

    def check(self, services: Services, refusals: Refusals) -> Iterator[Finding]:
        links = services.link_files("kudzu")
        if not links:
            raise NotApplicable("kudzu does not start")
        converted = refusals.converts
        effect = "it removes the configuration of the old network card and may wait for an answer on the console"
        yield self.finding(
            links[0],
            "kudzu reconfigures hardware at boot",
            "virt-v2v disables it" if converted else effect,
            severity=Severity.INFO if converted else Severity.WARNING,
            fix=Fix("do not start kudzu", Applicability.SAFE, tuple(Delete(link.path) for link in links)),
        )
