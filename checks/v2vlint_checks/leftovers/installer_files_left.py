"""Rule installer-files-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/root/anaconda-ks.cfg"


class InstallerFilesLeft(Rule):
    """Files of the installation are stored.

    ## What it does
    Finds kickstart files that Anaconda saved, AutoYaST and preseed files, installation logs, and debconf's passwords. For templates.

    ## Why it matters
    They name users, networks and mirrors, and may hold the root password or its hash.

    ## Fix safety
    Safe: nothing reads them once the system is installed.

    ## References
    - Anaconda saves what was installed as `/root/anaconda-ks.cfg`, password hashes among it
    - debconf-devel(7): passwords.dat
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/root/README": "hello\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("installer")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("delete the files of the installation", Applicability.SAFE, traces.deletions("installer"))
        message = "a file of the installation is stored" if len(found) == 1 else f"{len(found)} files of the installation are stored"
        yield self.finding(found[0], message, "every copy shows how it was installed, maybe with passwords", fix=fix, related=found[1:20])
