"""The commands of GRUB 2 that affect what is booted; every other command has an unknown status and no effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

from v2vlint.facts.boot.bls import bls_folder, grub_order
from v2vlint.facts.boot.grub.env import read_grubenv
from v2vlint.facts.boot.grub.files import UNKNOWN, GrubFiles, GuestPath, grub_name
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.facts.boot.grub.script import Command, Literal
from v2vlint.facts.boot.grub.shell import MAX_ENTRIES, GrubShell, Handler
from v2vlint.facts.boot.grub.test_command import evaluate
from v2vlint.facts.boot.grub.values import Boot, Environment, Field, MenuItem
from v2vlint.facts.syntax.located import Located, join


def new_shell(files: GrubFiles, env: Environment, program: GrubProgram | None = None) -> GrubShell:
    """A shell with GRUB's commands and these variables."""
    return GrubShell(files, env, COMMANDS, program.has, program.insert) if program else GrubShell(files, env, COMMANDS)


def _set(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    if not args or "=" not in args[0].text.text:
        return not args
    return shell.assign(args[0])


def _unset(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    for arg in args:
        shell.env.pop(arg.text.text, None)
    return True


def _export(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    shell.exported.update(arg.text.text for arg in args)
    return True


def _leave(shell: GrubShell, args: Sequence[Field], command: Command) -> bool:
    """``break`` and ``continue`` with the number of loops, ``return`` with a status, ``exit``."""
    shell.leave = command.words[0].bare
    number = args[0].text.text if args else ""
    # Cut short because int() raises an exception for thousands of digits.
    shell.loops = int(number[:3]) if number.isdigit() else 1
    return not (shell.leave == "return" and number not in ("", "0"))


def _shift(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    number = args[0].text.text if args else ""
    by = int(number[:3]) if number.isdigit() else 1
    shell.scope = shell.scope[:1] + shell.scope[1 + by :]
    return True


def _setparams(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    shell.scope = (*shell.scope[:1], *args) if shell.scope else ()
    return True


def _eval(shell: GrubShell, args: Sequence[Field], command: Command) -> bool | None:
    """The words, joined by blanks, are run as a script. If one is unknown, so are the variables that it sets."""
    whole = join([part for arg in args for part in (Located(" "), arg.text)][1:])
    if all(arg.known for arg in args):
        return shell.evaluate(whole, command)
    shell.doubts += 1
    for word in whole.text.replace(";", " ").split():
        name, equals, _value = word.partition("=")
        if equals:
            shell.env[name] = None
    return None


def _test(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool | None:
    words = [arg.text.text if arg.known else None for arg in args]
    if words and words[-1] == "]":
        words.pop()
    return evaluate(words, shell.locate)(shell.files.fs)


_KINDS = {
    "-u": "uuid", "--fs-uuid": "uuid", "-l": "label", "--label": "label", "--fs-label": "label", "-f": "file", "--file": "file",
    "search.fs_uuid": "uuid", "search.fs_label": "label", "search.file": "file",
    "--part-label": "partlabel", "--part-uuid": "partuuid", "--disk-uuid": "disk",  # CoreOS' GRUB
}  # fmt: skip


def _search(shell: GrubShell, args: Sequence[Field], command: Command) -> bool | None:
    """``search``. The name after ``--set`` may be a separate word: GRUB takes the next one unless it is an option (observed in QEMU)."""
    own = command.words[0].bare
    kind, name = _KINDS.get(own, "file"), "root"
    plain: list[Field] = []
    words = list(args)
    while words:
        arg = words.pop(0)
        word = arg.text.text
        follows = bool(words) and not words[0].text.text.startswith("-")
        if word in _KINDS:
            kind = _KINDS[word]
        elif word in ("-s", "--set") and follows:
            name = words.pop(0).text.text
        elif (word == "-h" or (word.startswith("--hint") and "=" not in word)) and follows:
            words.pop(0)
        elif word.startswith("--set="):
            name = word.partition("=")[2]
        elif not word.startswith("-"):
            plain.append(arg)
    # search.fs_uuid and its kin take the variable as their second argument.
    if own.startswith("search.") and len(plain) > 1:
        name = plain[1].text.text
    return _look(shell, kind, name, plain)


def _look(shell: GrubShell, kind: str, name: str, plain: Sequence[Field]) -> bool | None:
    if not plain or not plain[0].known or kind == "disk":
        shell.env[name] = None
        return None
    device, found = shell.files.search(kind, plain[0].text.text)
    if found is False:
        shell.lost.append(f"no disk has the {kind} {plain[0].text.text}")
        return False
    shell.doubts += device == UNKNOWN
    shell.set(name, device)
    return found


_GPTPRIO = {"-d": "device", "--set-device": "device", "-u": "uuid", "--set-uuid": "uuid"}


def _gptprio(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool | None:
    """``gptprio.next`` of CoreOS, Flatcar and EVE (grub-core/commands/gptprio.c): the one of their A and B that comes next."""
    words = [part for arg in args for part in arg.text.text.split("=", 1)]
    wanted = {name: _GPTPRIO[option] for option, name in pairwise(words) if option in _GPTPRIO}
    found = shell.files.by_priority()
    values = {"device": Located(grub_name(found[0])), "uuid": Located(found[0].part_uuid)} if found else {}
    if found != ():
        shell.env.update({name: values.get(kind) for name, kind in wanted.items()})
    shell.doubts += found is None
    return None if found is None else bool(found)


def _load_env(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool | None:
    words = [arg.text.text for arg in args]
    name = next((w.partition("=")[2] for w in words if w.startswith("--file=")), "")
    if "-f" in words[:-1] or "--file" in words[:-1]:
        name = words[next(i for i, w in enumerate(words) if w in ("-f", "--file")) + 1]
    place = shell.locate(name or f"{shell.value('prefix')}/grubenv")
    block = read_grubenv(shell.files.fs, place.path)
    if block is None:
        return False
    shell.read.append(place.path)
    listed = _listed(words)
    for variable in block.variables:
        if not listed or variable.name in listed:
            shell.env[variable.name] = variable.value
    return block.valid


def _listed(words: Sequence[str]) -> frozenset[str]:
    """The variables to load, if the command names them."""
    file = [index + 1 for index, word in enumerate(words) if word in ("-f", "--file")]
    return frozenset(word for index, word in enumerate(words) if not word.startswith("-") and index not in file)


def _source(shell: GrubShell, args: Sequence[Field], command: Command) -> bool | None:
    """The status is success even if the file does not exist (``grub_cmd_source`` of commands/configfile.c)."""
    name = args[0] if args else Field(Located(f"{shell.value('prefix')}/grub.cfg"))
    if not name.known:
        return None
    place = shell.locate(name.text.text)
    kind = command.words[0].bare
    # Where it may not run, its entries become conditional ones of this menu instead.
    if kind == "configfile" and not shell.uncertain:
        return _configfile(shell, place, name.text.text)
    if kind in ("configfile", "normal"):
        shell.normal = True
        if shell.files.text(place) is not None and not shell.uncertain:
            shell.config = place.path
            shell.set("config_directory", name.text.text.rpartition("/")[0])
    shell.source(place)
    return True


def _configfile(shell: GrubShell, place: GuestPath, name: str) -> bool:
    """Runs in a new context: it sees only exported variables, and its menu is shown if it has entries (normal/main.c)."""
    inner = shell.inner(shell.visible())
    inner.read, inner.lost, inner.doubts, inner.boot = shell.read, shell.lost, shell.doubts, shell.boot
    found = shell.files.text(place) is not None
    if found:
        inner.config = place.path
        inner.set("config_directory", name.rpartition("/")[0])
    inner.source(place)
    shell.inserted |= inner.inserted
    shell.steps, shell.doubts, shell.boot, shell.normal = inner.steps, inner.doubts, inner.boot, True
    shell.malformed.extend(inner.malformed)
    shell.config = inner.config if found else shell.config
    chosen = inner.handed or inner
    if inner.menu or inner.handed:
        shell.handed, shell.leave = chosen, "exit"
    return True


def _blscfg(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    chosen = args[0].text.text if args else ""
    name = chosen if chosen.startswith("(") else shell.value("blsdir") or "/loader/entries"
    boot = shell.value("boot")  # Red Hat's blscfg reads entries there, and kernels on $root
    folder = shell.locate(f"({boot}){name}" if boot and not name.startswith("(") else name).path
    shell.read.append(folder)
    seen = {item.bls.where for item in shell.menu if item.bls}
    for entry in grub_order(bls_folder(shell.files.fs, folder)):
        if entry.linux and entry.where not in seen:
            title = entry.title.value if entry.title else entry.linux.value
            shell.menu.append(MenuItem(title, entry.id, (), None, conditional=shell.uncertain > 0, bls=entry))
    return True


def _define(shell: GrubShell, args: Sequence[Field], command: Command) -> bool:
    title, identifier = "", ""
    given: list[Field] = []
    words = iter(args)
    for word in words:
        text = word.text.text
        if text == "--id":
            identifier = next(words, Field(Located())).text.text
        elif text.startswith("--id="):
            identifier = text.partition("=")[2]
        elif text in ("--class", "--users", "--hotkey", "--source"):
            next(words, None)
        elif not text.startswith("--"):
            title = title if given else text
            given.append(word)
    if len(shell.menu) < MAX_ENTRIES:
        where = command.words[0].parts[0]
        span = where.text.runs[0].source.span(command.start, command.end) if isinstance(where, Literal) and where.text.runs else None
        submenu = command.words[0].bare == "submenu"
        named = all(word.known for word in args)
        item = MenuItem(title, identifier, command.body or (), span, submenu, shell.uncertain > 0, args=tuple(given), named=named)
        shell.menu.append(item)
    return True


def _new(shell: GrubShell) -> Boot:
    """Takes the place of whatever was loaded before. If that may have been started, this may never be reached."""
    before = shell.boot
    place = before.kernel_path
    gone = not before.undecided and (not before.loaded or (place is not None and _is_there(place) is False))
    started = False if gone and before.started else before.started
    shell.boot = Boot(unknown=before.unknown, started=started, undecided=started is not False)
    return shell.boot


def _linux(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool | None:
    """Takes the place of whatever was loaded before, with its initramfs (``grub_cmd_linux`` of loader/i386/linux.c)."""
    if not args:
        return False
    _new(shell)
    return _kernel(shell, args)  # it fails if there is no such file


def _linux16(shell: GrubShell, args: Sequence[Field], command: Command) -> bool | None:
    found = _linux(shell, args, command)
    shell.boot.real_mode = bool(args)
    return found


def _kernel(shell: GrubShell, args: Sequence[Field]) -> bool | None:
    shell.boot.kernel = args[0].text
    shell.boot.args = tuple(arg.text for arg in args[1:] if arg.known or arg.matters)
    shell.boot.undecided |= not args[0].known or any(not arg.known and arg.matters for arg in args[1:])
    shell.boot.kernel_path = _file(shell, args[0])
    return _is_there(shell.boot.kernel_path)


def _file(shell: GrubShell, name: Field) -> GuestPath:
    """What a command loads. Where the machine decides on ``$root``, it does so on a file that several filesystems have."""
    place = shell.locate(name.text.text)
    shell.boot.undecided |= not name.known or (shell.is_unknown("root") and shell.files.is_on_several(name.text.text))
    # A name that starts with an unknown variable may be a path all the same.
    return place if name.known else dataclasses.replace(place, certain=False)


def _is_there(place: GuestPath) -> bool | None:
    return (place.exists or (None if place.foreign else False)) if place.certain else None


def _initrd(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool | None:
    """Ahead of ``linux`` it fails: "you need to load the kernel first". It fails, too, if one of its files is not there."""
    if not shell.boot.kernel and shell.boot.unknown is None:
        return False
    plain = [arg for arg in args if not arg.known or (arg.text and not arg.text.text.startswith("--"))]
    shell.boot.initrds = tuple(arg.text for arg in plain)
    shell.boot.initrd_paths = tuple(_file(shell, arg) for arg in plain)
    found = {_is_there(place) for place in shell.boot.initrd_paths}
    return False if False in found else None if None in found else True


def _multiboot(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    _new(shell).xen = bool(args)
    return True


def _module(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    plain = [arg for arg in args if arg.text and not arg.text.text.startswith("--")]
    # The first module is the Linux that Xen starts as dom0, the next ones its initramfs.
    if plain and not shell.boot.kernel:
        _kernel(shell, plain)
        return True
    shell.boot.initrds += tuple(arg.text for arg in plain[:1])
    shell.boot.initrd_paths += tuple(_file(shell, arg) for arg in plain[:1])
    return True


def _chainload(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    if args:
        _new(shell).chainload = args[-1].text.text
    return bool(args)


def _boot(shell: GrubShell, _args: Sequence[Field], _command: Command) -> bool | None:
    """Does not come back if a system is loaded."""
    place = shell.boot.kernel_path
    shell.boot.started = True
    if place is None or not place.certain or not place.exists or shell.boot.undecided:
        return None
    shell.leave = "boot"
    return True


def _forget(shell: GrubShell, args: Sequence[Field], _command: Command) -> None:
    """``regexp``, ``probe``, ``smbios``…: the variables they set become unknown."""
    words = [arg.text.text for arg in args]
    for index, word in enumerate(words):
        option, _, value = word.partition("=")
        if option in ("--set", "-s"):
            target = value or (words[index + 1] if index + 1 < len(words) else "")
            shell.env[target.rpartition(":")[2]] = None  # `regexp --set 1:name` numbers its groups


def _hwmatch(shell: GrubShell, _args: Sequence[Field], _command: Command) -> None:
    """Ubuntu's: ``$match`` says whether a graphics card is on a list."""
    shell.env["match"] = None


def _insmod(shell: GrubShell, args: Sequence[Field], _command: Command) -> bool:
    """Succeeds with a name even if there is no such module (observed in OVMF)."""
    if args and args[0].known:
        shell.insert(shell, args[0].text.text)
    return bool(args)


def _succeed(_shell: GrubShell, _args: Sequence[Field], _command: Command) -> bool:
    return True


def _fail(_shell: GrubShell, _args: Sequence[Field], _command: Command) -> bool:
    return False


COMMANDS: dict[str, Handler] = {
    "set": _set, "unset": _unset, "test": _test, "[": _test, "load_env": _load_env, "true": _succeed, "false": _fail,
    "search": _search, "search.fs_uuid": _search, "search.fs_label": _search, "search.file": _search,
    "source": _source, ".": _source, "configfile": _source, "normal": _source, "menuentry": _define, "submenu": _define,
    "linux": _linux, "linux16": _linux16, "linuxefi": _linux, "initrd": _initrd, "initrd16": _initrd, "initrdefi": _initrd,
    "multiboot": _multiboot, "multiboot2": _multiboot, "module": _module, "module2": _module, "xen_hypervisor": _multiboot,
    "xen_module": _module, "blscfg": _blscfg, "bls_import": _blscfg, "chainloader": _chainload, "boot": _boot,
    "gptprio.next": _gptprio,
    "regexp": _forget, "probe": _forget, "smbios": _forget, "rdmsr": _forget, "hwmatch": _hwmatch,
    "export": _export, "insmod": _insmod, "break": _leave, "continue": _leave, "return": _leave, "exit": _leave,
    "shift": _shift, "setparams": _setparams, "eval": _eval, "echo": _succeed, "save_env": _succeed, "terminal_output": _succeed,
    "terminal_input": _succeed,
}  # fmt: skip
