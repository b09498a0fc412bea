"""Rule ends-in-shell."""

from collections.abc import Iterator

from v2vlint.api import Content, Example, Finding, Link, MountsVerdict, Rule, Severity, Stage, UserlandVerdict, sample_boot

_SYSTEMD: dict[str, Content] = {"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": "", "/bin/sh": "", "/bin/bash": ""}
_NAMES = ("graphical", "multi-user", "rescue", "emergency")
_TARGETS: dict[str, Content] = {f"/usr/lib/systemd/system/{name}.target": "[Unit]\n" for name in _NAMES}
_LIB = "/usr/lib/systemd/system"
_WHOLE: dict[str, Content] = {f"{_LIB}/{name}.target": "[Unit]\n" for name in ("basic", "sysinit")}
_DEFAULT = "/etc/systemd/system/default.target"
_SYSV: dict[str, Content] = {"/sbin/init": b"\x7fELF\0/etc/inittab\0", "/bin/sh": ""}


class EndsInShell(Rule):
    """The guest is told to end in a shell, not at a login.

    ## What it does
    Looks at what the default entry and the init program are told: `init=/bin/bash`, `single`, `systemd.unit=rescue.target`; a
    `default.target` that leads to `rescue.target`, `emergency.target` or `poweroff.target`, or to nothing (systemd starts `rescue.target`
    then); an `init=` that is not there, where nothing else is tried (systemd in the initramfs, no initramfs); `initdefault` with level 0,
    1, 6 or S; a root without any init program, where the kernel starts `/bin/sh`; what the default target requires and systemd cannot
    start (masked, not there, without `ExecStart=`; two that conflict, or that wait for each other): it freezes then.

    ## Why it matters
    Left over from a repair, it shows at the next boot: the machine waits for root's password on a console, without network and services.
    Where systemd freezes, nothing starts at all, not even that shell.

    ## References
    - bootup(7), kernel-command-line(7), systemd.special(7); inittab(5)
    - Linux, `init/main.c`, `kernel_init()`; systemd, `src/core/dbus-manager.c`, `method_switch_root()`
    """

    severity = Severity.ERROR
    stage = Stage.MOUNTS
    since = "0.1"
    examples = (
        Example(
            {**_SYSTEMD, **sample_boot(args="root=UUID=0f3c-77 ro init=/bin/bash")},
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.ERROR,
        ),
        Example(
            {**_SYSTEMD, **_TARGETS, _DEFAULT: Link("/usr/lib/systemd/system/rescue.target")}, flags=(_DEFAULT,), severity=Severity.ERROR
        ),
        Example(
            {**_SYSTEMD, **_TARGETS, _DEFAULT: Link("/usr/lib/systemd/system/odd.target")},
            flags=(_DEFAULT,),
            severity=Severity.ERROR,
            title="a default target that is not there",
        ),
        Example({**_SYSTEMD, **_TARGETS, _DEFAULT: Link("/usr/lib/systemd/system/multi-user.target")}),
        Example({**_SYSTEMD, **_TARGETS, **sample_boot(args="root=UUID=0f3c-77 single")}, flags=("/boot/grub/grub.cfg:2",)),
        Example({"/bin/sh": "", "/etc/hostname": "x"}, flags=("/sbin/init",), severity=Severity.ERROR, title="no init program"),
        Example(
            {**_SYSTEMD, **sample_boot(image=b"", args="root=/dev/vda1 ro init=/sbin/gone")},
            flags=("/boot/grub/grub.cfg:2",),
            severity=Severity.ERROR,
            title="a program that is not there",
        ),
        Example(
            {
                **_SYSTEMD,
                **_TARGETS,
                _DEFAULT: Link("/usr/lib/systemd/system/multi-user.target"),
                **sample_boot(args="root=/dev/vda1 ro init=/sbin/gone"),
            },
            title="initramfs-tools takes another",
        ),
        Example(
            {**_SYSTEMD, **_WHOLE, f"{_LIB}/default.target": "[Unit]\nRequires=gone.service\n"},
            flags=(f"{_LIB}/default.target",),
            severity=Severity.ERROR,
            title="a requirement that is not there",
        ),
        Example({**_SYSV, "/etc/inittab": "id:1:initdefault:\n"}, flags=("/etc/inittab:1",), severity=Severity.ERROR),
        Example({**_SYSV, "/etc/inittab": "id:3:initdefault:\n"}),
    )

    def check(self, userland: UserlandVerdict, mounts: MountsVerdict) -> Iterator[Finding]:
        for cause in (*userland.shell, *mounts.maintenance):
            freezes = cause.reason.startswith("systemd freezes")
            effect = "nothing starts at all, not even a shell" if freezes else "nobody can log in over the network"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
