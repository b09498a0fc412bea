"""Rule cloud-repository."""

import re
from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, NotApplicable, Repositories, Rule, Severity, Target

_CLOUDS = (
    (re.compile(r"rhui\S*\.aws\.ce\.redhat\.com|\.aws\.ce\.redhat\.com"), "Red Hat's update infrastructure (RHUI) in Amazon EC2", "ec2"),
    (re.compile(r"rhui\S*\.microsoft\.com"), "Red Hat's update infrastructure (RHUI) in Azure", "azure"),
    (
        re.compile(r"rhui\S*\.googlecloud\.com|cds\.rhel\.updates\.googlecloud\.com"),
        "Red Hat's update infrastructure (RHUI) in Google's cloud",
        "gce",
    ),
    (re.compile(r"rhui[\w.-]*\.(?:oraclecloud|aliyuncs|alibabacloud)\.com|/rhui/"), "a cloud's own update infrastructure (RHUI)", ""),
    (re.compile(r"smt-ec2\.susecloud\.net"), "SUSE's update infrastructure in Amazon EC2", "ec2"),
    (re.compile(r"smt-azure\.susecloud\.net"), "SUSE's update infrastructure in Azure", "azure"),
    (re.compile(r"smt-gce\.susecloud\.net"), "SUSE's update infrastructure in Google's cloud", "gce"),
    (re.compile(r"yum\$?\{?ociregion|yum[-.]\S*\.oci\.oraclecloud"), "Oracle Cloud's own mirror", ""),
)
_PATH = "/etc/yum.repos.d/redhat-rhui.repo"
_TEXT = (
    "[rhel-9-baseos-rhui-rpms]\nname=RHEL 9 BaseOS\n"
    "mirrorlist=https://rhui.REGION.aws.ce.redhat.com/pulp/mirror/content/dist/rhel9/rhui/baseos/os\nenabled=1\n"
)


class CloudRepository(Rule):
    """A package source is available only inside another cloud.

    ## What it does
    Finds enabled sources of Red Hat's and SUSE's update infrastructure in EC2, Azure, Google Cloud and Oracle Cloud, on other targets.

    ## Why it matters
    The servers admit only machines of their own cloud: no updates, and no packages for repairs. The guest needs another subscription.

    ## Fix safety
    Unsafe: the source is disabled, and the guest has none until it is registered elsewhere.

    ## References
    - access.redhat.com/articles/7041540, "Red Hat Update Infrastructure"; SUSE, "Public cloud update infrastructure"
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_PATH: _TEXT}, flags=(f"{_PATH}:3",), fixed={_PATH: _TEXT.replace("enabled=1", "enabled=0")}),
        Example({_PATH: _TEXT}, target="azure", flags=(f"{_PATH}:3",)),
        Example({_PATH: _TEXT}, target="ec2-nitro", title="at home"),
        Example({_PATH: _TEXT.replace("enabled=1", "enabled=0")}, title="switched off"),
        Example({"/etc/apt/sources.list": "deb http://azure.archive.ubuntu.com/ubuntu jammy main\n"}, title="anybody may use it"),
    )

    def check(self, repositories: Repositories, target: Target) -> Iterator[Finding]:
        if not repositories.entries:
            raise NotApplicable("no package source is configured")
        for entry in repositories.entries:
            cloud = next(((words, home) for pattern, words, home in _CLOUDS if pattern.search(entry.url.value)), None)
            if cloud is None or (cloud[1] and cloud[1] == target.platform):
                continue
            fix = Fix(f"disable the package source {entry.name}", Applicability.UNSAFE, entry.disable) if entry.disable else None
            message = f"the package source {entry.name} is {cloud[0]}"
            yield self.finding(entry.url.where, message, "it is available only inside that cloud: there are no updates", fix=fix)
