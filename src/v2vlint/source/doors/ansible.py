"""``ansible://PATTERN``: the machines of an Ansible inventory, each over the connection that the inventory defines.

``?ansible_inventory=FILE`` names the inventory; without it Ansible looks where it always does. Nothing of Ansible's runs on the machines:
it is only asked for names, and they are reached as ``ssh://``, ``docker://``, ``podman://``, ``kubectl://`` or ``live:``.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, unquote, urlsplit

from v2vlint import programs
from v2vlint.files.schemes.sftp import register
from v2vlint.files.sftp import Login
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef
from v2vlint.source.door import Door, door_of
from v2vlint.source.doors.machine import INSTEAD, reached

PREFIX = "ansible://"
TIMEOUT = 120
LOGINS = 16
"""The number of machines queried in parallel."""
Variables = Mapping[str, object]


def _find(argument: str, connect: str) -> Iterator[GuestRef]:
    """One machine for each host that matches the pattern."""
    parts = urlsplit(argument)
    pattern = unquote(argument.removeprefix(PREFIX).partition("?")[0]) or "all"
    inventory = parse_qs(parts.query).get("ansible_inventory", [""])[0]
    try:
        found = _hosts(pattern, inventory)
    except ImageError as error:
        yield GuestRef(argument, "machine", (), problem=error.message, hint=error.hint, unwritable=INSTEAD)
        return
    with ThreadPoolExecutor(LOGINS) as pool:
        for refs in pool.map(lambda one: list(_machine(one[0], one[1], connect)), found):
            yield from refs


def _hosts(pattern: str, inventory: str) -> list[tuple[str, Variables]]:
    """The hosts of the inventory that match ``pattern``, by name, with their variables. ImageError when there are none."""
    place = ("-i", inventory) if inventory else ()
    # The first line is a heading: "hosts (3):".
    names = [line.strip() for line in _asked("ansible", *place, "--list-hosts", "--", pattern).splitlines()[1:] if line.strip()]
    if not names:
        hint = "'ansible-inventory --graph' shows it; ?ansible_inventory=FILE names another"
        raise ImageError(f"{PREFIX}{pattern}: no host of the inventory fits", hint=hint)
    try:
        told = json.loads(_asked("ansible-inventory", *place, "--list"))
        variables: dict[str, Variables] = told.get("_meta", {}).get("hostvars", {})
    except (ValueError, AttributeError) as error:
        raise ImageError(f"{PREFIX}{pattern}: ansible-inventory prints no inventory") from error
    return [(name, variables.get(name, {})) for name in names]


def _asked(name: str, *words: str) -> str:
    """The output of one of Ansible's programs."""
    program = programs.find(name)
    if program is None:
        raise ImageError(f"{PREFIX}: {name} is not installed", hint="install ansible-core")
    environment = programs.environment() | {"LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_DEPRECATION_WARNINGS": "0"}
    try:
        with programs.starting(program):
            done = subprocess.run((program, *words), capture_output=True, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{PREFIX}: no answer from {name} within {TIMEOUT} seconds") from error
    if done.returncode:
        raise ImageError(f"{PREFIX}: {name}: {programs.last_words(done.stderr)}")
    return done.stdout.decode("utf-8", "replace")


def _machine(host: str, variables: Variables, connect: str) -> Iterator[GuestRef]:
    """The machine that a host is, by its connection."""
    word = _text(variables, "ansible_connection") or "ssh"
    # A connection may be named in full: ansible.builtin.ssh.
    way = word.rpartition(".")[2]
    if way in _SSH:
        yield _by_ssh(host, variables)
    elif way in _OTHERS:
        argument = _OTHERS[way](host, variables)
        door = door_of(argument)
        assert door is not None
        yield from door.find(argument, connect)
    else:
        hint = "copy its disks, or name them where they lie"
        yield GuestRef(f"{PREFIX}{host}", "machine", (), problem=f"reached by {word}, which is not read", hint=hint, unwritable=INSTEAD)


def _by_ssh(host: str, variables: Variables) -> GuestRef:
    name = f"{PREFIX}{host}"
    user = _text(variables, "ansible_user", "ansible_ssh_user")
    port = _text(variables, "ansible_port", "ansible_ssh_port")
    key = _text(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
    address = _text(variables, "ansible_host", "ansible_ssh_host") or host
    more = " ".join(_text(variables, f"ansible_ssh_{kind}_args") for kind in ("common", "extra"))
    try:
        options = (*(("-i", os.path.expanduser(key)) if key else ()), *shlex.split(more))  # noqa: PTH111
        place = f"{f'{user}@' if user else ''}{address}{f':{port}' if port else ''}"
        # Its files are read over SFTP with the same options of ssh.
        register(place, options)
        return reached(name, Login(address, user, int(port or 0), options), place)
    except (ImageError, ValueError) as error:
        return GuestRef(name, "machine", (), problem=str(error), hint=getattr(error, "hint", ""), unwritable=INSTEAD)


def _container(engine: str) -> Callable[[str, Variables], str]:
    return lambda host, variables: f"{engine}://{_text(variables, f'ansible_{engine}_host', 'ansible_host') or host}"


def _pod(host: str, variables: Variables) -> str:
    space, pod, container = (_text(variables, f"ansible_kubectl_{name}") for name in ("namespace", "pod", "container"))
    return f"kubectl://{'/'.join(filter(None, (space, pod or host, container if space else '')))}"


def _text(variables: Variables, *names: str) -> str:
    """The first of some variables that has a value."""
    values = (variables.get(name) for name in names)
    return next((str(value) for value in values if isinstance(value, str | int) and value != ""), "")


_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh")
_OTHERS: dict[str, Callable[[str, Variables], str]] = {
    "local": lambda _host, _variables: "live:",
    "docker": _container("docker"),
    "podman": _container("podman"),
    "kubectl": _pod,
}
DOORS = (Door("ansible", "machines of an Ansible inventory", (PREFIX,), _find),)
