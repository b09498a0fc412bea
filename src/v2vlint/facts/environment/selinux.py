"""SELinux: its mode, whether its policy exists, and whether the next boot relabels (selinux(8), selinux_config(5))."""

from __future__ import annotations

from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where, WholeFile

CONFIG = "/etc/selinux/config"
RELABEL = "/.autorelabel"
_LOADERS = ("/usr/sbin/load_policy", "/sbin/load_policy")
_MODES = ("enforcing", "permissive", "disabled")


@dataclass(frozen=True, slots=True)
class SelinuxConfig:
    """``mode`` is that of the configuration: ``enforcing``, ``permissive``, ``disabled``, or empty without one. ``policy`` is the name of
    the policy, ``policies`` are the installed ones; ``tools`` says that a program can load one. ``relabel`` is the file that requests
    relabelling.
    """

    mode: str = ""
    policy: str = "targeted"
    policies: tuple[str, ...] = ()
    tools: bool = False
    mode_at: Where = WholeFile(CONFIG)
    policy_at: Where = WholeFile(CONFIG)
    relabel: WholeFile | None = None

    @property
    def contexts(self) -> str:
        """The path of the file_contexts; empty when SELinux is not used."""
        used = self.mode and self.mode != "disabled" and self.tools
        return f"/etc/selinux/{self.policy}/contexts/files/file_contexts" if used else ""


@dataclass(frozen=True, slots=True)
class Selinux:
    """``mode`` is the effective one, empty without a configuration: kernel arguments (``selinux=0``, ``enforcing=1``) take precedence.
    ``where`` is what decides it, and ``relabel`` what makes the next boot relabel, None when nothing does.
    """

    config: SelinuxConfig
    mode: str
    where: Where
    relabel: Where | None = None


@provides
def parse_selinux_config(fs: GuestFS) -> SelinuxConfig:
    """Read the configuration as libselinux does: the last value of a key counts, and the mode is case-insensitive."""
    text = fs.text(CONFIG)
    mode, policy = "", "targeted"
    found: dict[str, Where] = {}
    for line in text.lines() if text else ():
        key, equals, value = line.text.strip().partition("=")
        if equals and key in ("SELINUX", "SELINUXTYPE"):
            found[key] = line.where
            if key == "SELINUXTYPE":
                policy = value.strip()
            elif value.strip().lower() in _MODES:
                mode = value.strip().lower()
    installed = tuple(path.split("/")[3] for path in fs.glob("/etc/selinux/*/policy/policy.*"))
    return SelinuxConfig(
        mode,
        policy,
        tuple(dict.fromkeys(installed)),
        any(fs.exists(path) for path in _LOADERS),
        found.get("SELINUX", WholeFile(CONFIG)),
        found.get("SELINUXTYPE", WholeFile(CONFIG)),
        WholeFile(RELABEL) if fs.exists(RELABEL) else None,
    )


@provides
def parse_selinux(config: SelinuxConfig, choices: BootChoices) -> Selinux:
    """The configuration, changed by the arguments of the default entry; no mode where there is no configuration."""
    if not config.mode:
        return Selinux(config, "", config.mode_at)
    mode, where = config.mode, config.mode_at
    relabel: Where | None = config.relabel if config.mode != "disabled" else None
    # libselinux and systemd read the others in /proc/cmdline, the kernel this one.
    for arg in choices.default.kernel_args if choices.default else ():
        if arg.name == "selinux" and arg.value == "0":
            return Selinux(config, "disabled", arg.where)
    for arg in choices.default.args if choices.default else ():
        if arg.name == "enforcing" and config.mode != "disabled":
            mode, where = ("permissive" if arg.value == "0" else "enforcing"), arg.where
        if arg.name == "autorelabel" and arg.value == "1" and config.mode != "disabled":
            relabel = relabel or arg.where
    return Selinux(config, mode, where, relabel)
