"""Rule program-needs-avx."""

import re
from collections.abc import Iterator

from v2vlint.api import Example, Finding, NotApplicable, Packages, Rule, Severity, Target, Wheels

_STATUS = "/var/lib/dpkg/status"
# Packages whose programs stop with "Illegal instruction" without AVX, and the first version that does.
_PROGRAMS = {
    "mongodb-org-server": ("MongoDB", 5), "mongodb-enterprise-server": ("MongoDB", 5), "mongodb-server": ("MongoDB", 5),
    "mongodb-server-core": ("MongoDB", 5), "percona-server-mongodb-server": ("Percona Server for MongoDB", 5),
}  # fmt: skip


_WHEEL = "/usr/local/lib/python3.11/dist-packages/tensorflow-2.16.1.dist-info"
_TENSORFLOW = frozenset({"tensorflow", "tensorflow_cpu", "tensorflow_intel"})


def _dpkg(name: str, version: str) -> dict[str, str]:
    return {_STATUS: f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"}


class ProgramNeedsAvx(Rule):
    """An installed program does not start on a processor without AVX.

    ## What it does
    Finds MongoDB 5 and later, and TensorFlow 1.6 and later as installed by pip, on targets that guarantee less than x86-64-v3. The level
    x86-64-v2, which many hypervisors present by default, does not include AVX.

    ## Why it matters
    The program dies at once with "Illegal instruction"; the machine itself runs.

    ## References
    - github.com/tensorflow/tensorflow, release notes of 1.6.0: prebuilt binaries use AVX
    - mongodb.com/docs/manual/administration/production-notes, "x86_64": MongoDB 5.0 requires AVX
    """

    severity = Severity.WARNING
    since = "0.1"
    predicts = (r"WARNING: MongoDB 5\.0\+ requires a CPU with AVX", r"mongod.*(SIGILL|status=4/ILL|core dumped)")
    examples = (
        Example(_dpkg("mongodb-org-server", "6.0.14"), flags=(_STATUS + ":1",)),
        Example(_dpkg("mongodb-org-server", "4.4.29")),
        Example({f"{_WHEEL}/METADATA": "Name: tensorflow\n"}, flags=(f"{_WHEEL}/METADATA",)),
        Example({f"{_WHEEL}/METADATA": "Name: tensorflow\n"}, target="azure"),
        Example(_dpkg("mongodb-org-server", "6.0.14"), target="azure"),
    )

    def check(self, packages: Packages, wheels: Wheels, target: Target) -> Iterator[Finding]:
        if target.cpu_level >= 3:
            raise NotApplicable(f"{target.name} has AVX")
        for name, (program, first) in _PROGRAMS.items():
            found = packages.get(name)
            match = re.match(r"(?:\d+:)?(\d{1,4})\.", found.version) if found else None
            if found and match and int(match[1]) >= first:
                message = f"{program} ({found}) needs a processor with AVX"
                effect = f"{target.name} guarantees x86-64-v{target.cpu_level} only, where it may die with an illegal instruction"
                yield self.finding(found.where, message, effect)
        for wheel in wheels.found:
            # The wheels of TensorFlow are built with AVX since 1.6.
            if wheel.name in _TENSORFLOW and not re.match(r"(?:0|1\.[0-5])\.", wheel.version):
                effect = f"{target.name} guarantees x86-64-v{target.cpu_level} only, where it may die with an illegal instruction"
                yield self.finding(wheel.where, f"TensorFlow {wheel.version} needs a processor with AVX", effect)
