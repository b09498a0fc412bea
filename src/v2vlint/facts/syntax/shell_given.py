"""Variables that a shell may have when it begins to read a file, so that they are not known to be empty."""

from __future__ import annotations

import re

_GIVEN = frozenset(
    {
        # the shell and whoever starts it
        "HOME", "PATH", "PWD", "OLDPWD", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "IFS", "PPID", "UID", "EUID", "RANDOM",
        "SECONDS", "LINENO", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "BASH", "BASH_VERSION", "BASHPID", "OPTIND", "PS1",
        "PS2", "PS4", "TMPDIR", "CONFDIR", "DESTDIR", "version", "verbose", "kernel", "_", "SHLVL", "GROUPS", "BASHOPTS",
        "SHELLOPTS", "EPOCHSECONDS", "EPOCHREALTIME", "SRANDOM", "OPTERR", "OPTARG", "DIRSTACK", "FUNCNAME", "PIPESTATUS",
        "COMP_WORDBREAKS", "REPLY", "COLUMNS", "LINES", "DISPLAY", "MAIL", "EDITOR", "PAGER", "PS3", "PROMPT_COMMAND", "LANGUAGE",
        # grub-mkconfig
        "self", "export", "host_os", "option", "argument", "transform", "target_cpu", "PACKAGE_NAME", "PACKAGE_VERSION",
        "GRUB_PREFIX",
        # update-initramfs and mkinitramfs
        "CONF", "KPKGCONF", "USETRIGGERS", "STATEDIR", "BOOTDIR", "mode", "keep", "outfile", "EXTRA_CONF", "OPTS", "compress",
        "arch", "ROOT", "DPKG_ARCH", "DPKG_MAINTSCRIPT_PACKAGE", "yes", "set_initramfs", "errormsg", "supported_kernels", "init",
        "rootmnt", "BOOT", "quiet", "break", "debug", "resume", "panic", "rootflags", "ROOTFLAGS", "ROOTFSTYPE", "rootfstype",
        "readonly", "DEVICE", "BOOTIF", "IP",
        # dracut and mkinitcpio
        "args", "conffile", "image", "uefi", "debugshell", "force", "loginstall", "regenerate_all", "no_kernel", "KERNELVERSION",
        "BUILDROOT", "MACHINE_ID", "KERNEL_VERSION",
        # the network scripts of Red Hat, OpenRC, netifrc, ifup
        "CONFIG", "DEVNAME", "REALDEVICE", "DEVICETYPE", "PARENTCONFIG", "PARENTDEVNAME", "NETWORKING", "GATEWAY", "GATEWAYDEV",
        "NISDOMAIN", "CONSOLETYPE", "BOOTUP", "IFACE", "IFVAR", "LOGICAL", "ADDRFAM", "METHOD", "PHASE", "MODE", "VERBOSITY",
    }
)  # fmt: skip
_GIVEN_FORM = re.compile(
    r"(?:GRUB_DEVICE|GRUB_FS|BASH_|LC_|TEXTDOMAIN|RC_|rc_|SVC|EINFO_|EERROR_|IF_|IPV6|DRACUT_|dracut|systemd|grub_|pkg|udev|hook)\w*"
    r"|\w+(?:dir|root|prefix|_l)|prefix",
    re.ASCII,
)


def is_given(name: str) -> bool:
    """Whether the shell, its environment or the script that sources the file may have set ``name``."""
    return name in _GIVEN or _GIVEN_FORM.fullmatch(name) is not None
