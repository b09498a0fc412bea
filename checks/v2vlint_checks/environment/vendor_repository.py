"""Rule vendor-repository."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Example,
    Finding,
    Fix,
    Mover,
    NotApplicable,
    Refusals,
    Repositories,
    Rule,
    Severity,
    Target,
    vendor_of_host,
)

_MAKERS = (
    (re.compile(r"linux\.dell\.com"), "Dell's hardware tools"),
    (re.compile(r"downloads\.linux\.hpe?\.com"), "HPE's hardware tools"),
)
_LIST = "/etc/apt/sources.list.d/dell.list"
_DELL = "deb [trusted=yes] http://linux.dell.com/repo/community/ubuntu jammy main"
_SOURCES = "/etc/apt/sources.list.d/dell.sources"
_STANZA = "Types: deb\nURIs: http://linux.dell.com/repo/community/ubuntu\nSuites: jammy\nComponents: main\n"
_REPO = "/etc/yum.repos.d/vmware-tools.repo"


class VendorRepository(Rule):
    """A package source offers tools for another hypervisor or a server vendor's hardware.

    ## What it does
    Finds enabled yum, dnf, zypper and apt sources at vmware.com, Citrix, Dell and HPE.

    ## Why it matters
    Updates bring back tools that have nothing to work with, and fail if the source is unreachable from the new network.

    ## Fix safety
    Safe: the source is disabled, as virt-v2v does for vmware.com; installed packages stay.

    ## References
    - virt-v2v `convert/convert_linux.ml`, VMware yum repositories
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {_REPO: "[vmware-tools]\nname=VMware Tools\nbaseurl=http://packages.vmware.com/tools/esx/6.5/rhel6/x86_64\nenabled=1\n"},
            flags=(f"{_REPO}:3",),
            fixed={_REPO: "[vmware-tools]\nname=VMware Tools\nbaseurl=http://packages.vmware.com/tools/esx/6.5/rhel6/x86_64\nenabled=0\n"},
        ),
        Example(
            {_LIST: f"# made by hand\n{_DELL}\n"},
            flags=(f"{_LIST}:2",),
            fixed={_LIST: f"# made by hand\n# {_DELL}\n"},
        ),
        Example(
            {_SOURCES: f"# Dell\n{_STANZA}\n{_STANZA}Enabled: no\n"},
            flags=(f"{_SOURCES}:3",),
            fixed={_SOURCES: f"# Dell\nEnabled: no\n{_STANZA}\n{_STANZA}Enabled: no\n"},
            title="two stanzas, one of them disabled",
        ),
        Example(
            {_SOURCES: _STANZA.replace("ubuntu\n", "ubuntu\n https://deb.debian.org/debian\n")},
            flags=(f"{_SOURCES}:2",),
            fixed={},
            title="the other mirror has to stay",
        ),
        Example(
            {_REPO: "[vmware-tools]\nbaseurl=http://packages.vmware.com/tools\n"},
            mover=Mover.VIRT_V2V,
            flags=(f"{_REPO}:2",),
            severity=Severity.INFO,
        ),
        Example({_REPO: "[vmware-tools]\nbaseurl=http://packages.vmware.com/tools\nenabled=0\n"}),
        Example({_REPO: "[vmware-tools]\nbaseurl=http://packages.vmware.com/tools\n"}, target="vmware"),
        Example({"/etc/apt/sources.list": "deb http://deb.debian.org/debian bookworm main\n# deb http://packages.vmware.com/x y z\n"}),
        Example(
            {_SOURCES: f"{_STANZA}Enabled:\n"},
            flags=(f"{_SOURCES}:2",),
            fixed={_SOURCES: f"{_STANZA}Enabled: no\n"},
            title="a field without a value",
        ),
    )

    def check(self, repositories: Repositories, target: Target, refusals: Refusals) -> Iterator[Finding]:
        if not repositories.entries:
            raise NotApplicable("no package source is configured")
        for entry in repositories.entries:
            family, vendor = vendor_of_host(entry.host)
            vendor = vendor or next((name for pattern, name in _MAKERS if pattern.fullmatch(entry.host)), "")
            if not vendor or family in target.agents:
                continue
            converted = refusals.converts and family == "vmware-tools" and entry.where.path.startswith("/etc/yum.repos.d/")
            effect = "updates bring tools of no use on the target"
            yield self.finding(
                entry.url.where,
                f"the package source {entry.name} is {vendor}: {entry.url.value[:100]}",
                "virt-v2v disables it" if converted else effect,
                severity=Severity.INFO if converted else Severity.WARNING,
                fix=Fix(f"disable the package source {entry.name}", Applicability.SAFE, entry.disable) if entry.disable else None,
            )
