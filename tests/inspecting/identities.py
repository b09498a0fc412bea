"""What holds between the two descriptions of one system: v2vlint's own, and the one in libguestfs's words."""

from __future__ import annotations

from v2vlint.inspecting.distros import DISTROS
from v2vlint.model.machine import OperatingSystem

PASSED_ON = frozenset({"", "redhat-based", "suse-based", "debian", "rhel"})
"""What libguestfs makes of a distribution whose os-release it does not know: nothing, or that of the next release file."""
BY_RELEASE_FILE_ONLY = frozenset({
    "buildroot", "cirros", "linuxmint", "mandriva", "meego", "oraclelinux", "redhat-based", "scientificlinux", "slackware", "suse-based",
    "ttylinux",
})  # fmt: skip


def contradictions(system: OperatingSystem) -> list[str]:
    """What JSON and XML say differently of one root, beyond what libguestfs cannot know."""
    view, own = system.libguestfs, system.release
    if view is None or system.windows is not None:
        return []
    pairs: list[tuple[str, object, object]] = [("type", own.type, view.type), ("hostname", system.hostname, view.hostname)]
    if view.arch:
        pairs.append(("arch", system.arch, view.arch))
    known = own.distro in {known.word for known in DISTROS.values() if known.word} - BY_RELEASE_FILE_ONLY
    if known or view.distro not in PASSED_ON:
        pairs += [("distro", own.distro, view.distro), ("version", (own.major, own.minor), (view.major, view.minor))]
        pairs.append(("packages", own.package_format if view.package_format else "", view.package_format))
    return [f"{name}: {ours!r} is {theirs!r} in XML" for name, ours, theirs in pairs if ours != theirs]
