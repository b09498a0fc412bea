"""Rule package-cache-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/cache/apt/archives/curl_7.88_amd64.deb"


class PackageCacheLeft(Rule):
    """Downloaded packages or package lists are cached.

    ## What it does
    Finds caches of apt, dnf, yum, zypper, pacman, apk and PackageKit. For templates.

    ## Why it matters
    The image is larger than necessary, and the cached data becomes outdated in every copy.

    ## Fix safety
    Safe: the package manager downloads again what it needs.

    ## References
    - virt-sysprep's `package-manager-cache`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/var/cache/apt/archives/lock": "", "/var/lib/apt/lists/debian_Packages": "Package: a\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("package-cache")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("empty the package caches", Applicability.SAFE, traces.deletions("package-cache"))
        message = "a file of a package cache is stored" if len(found) == 1 else f"{len(found)} files of package caches are stored"
        yield self.finding(found[0], message, "the image is larger than it need be", fix=fix, related=found[1:20])
