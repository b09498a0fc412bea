"""Rule cpu-optimised-packages."""

import re
from collections.abc import Iterator

from v2vlint.api import Example, Finding, Packages, Rule, Severity, Target

_ARCH = re.compile(r"(?:x86_64_|x86_64-|amd64)v([234])")
_DESC = "/var/lib/pacman/local/glibc-2.40+r16-3.1/desc"


class CpuOptimisedPackages(Rule):
    """Installed packages are built for a newer CPU level than the target guarantees.

    ## What it does
    Looks at the architecture of the installed packages: `x86_64_v3` and `x86_64_v4` of CachyOS and ALHP, `x86_64_v2` of AlmaLinux,
    `amd64v3` of Ubuntu. Packages that only add copies chosen at run time keep the plain architecture and do not count.

    ## Why it matters
    Every such program may die with `illegal instruction`. Whether boot fails at once is judged by the rule on the C library; this one is
    about the rest of the system. Reinstall the packages from the plain repositories, or choose a newer CPU model.

    ## References
    - pacman.conf(5), `Architecture`; CachyOS and ALHP document their repositories' levels.
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_DESC: "%NAME%\nglibc\n\n%ARCH%\nx86_64_v3\n"}, flags=(_DESC,), severity=Severity.WARNING),
        Example({_DESC: "%NAME%\nglibc\n\n%ARCH%\nx86_64\n"}),
        Example({_DESC: "%NAME%\nglibc\n\n%ARCH%\nx86_64_v3\n"}, target="azure", title="Azure guarantees level 3"),
        Example({"/var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n"}),
    )

    def check(self, packages: Packages, target: Target) -> Iterator[Finding]:
        found = [package for package in packages.installed if (match := _ARCH.fullmatch(package.arch)) and int(match[1]) > target.cpu_level]
        if found:
            names = ", ".join(dict.fromkeys(package.name for package in found[:3]))
            message = f"packages of the architecture {found[0].arch} are installed ({names}), and the target guarantees v{target.cpu_level}"
            yield self.finding(found[0].where, message, "programs may die with an illegal instruction")
