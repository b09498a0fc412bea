"""GRUB 2's menu as the next boot will build it: ``grub.cfg``, the files it includes, ``grubenv`` and the BLS entries.

Source: GRUB manual, "Simple configuration handling" and "Multi-boot manual config"; the ``blscfg`` command is Red Hat's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from v2vlint.facts.boot.bls import BlsEntry
from v2vlint.facts.boot.cmdline import split_args, word_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu, kernel_version
from v2vlint.facts.boot.grub.build import GrubBuild
from v2vlint.facts.boot.grub.commands import new_shell
from v2vlint.facts.boot.grub.files import GrubFiles, GuestPath
from v2vlint.facts.boot.grub.program import GrubProgram, start
from v2vlint.facts.boot.grub.shell import ENDS, MAX_STEPS, GrubShell
from v2vlint.facts.boot.grub.values import Boot, Environment, Field, MenuItem, texts_of
from v2vlint.facts.syntax.located import Located, join, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span, Token, Where, WholeFile

MAX_SUBMENUS = 4
MAX_FALLBACKS = 20
# features[] of grub-core/normal/main.c: by these variables a configuration tests what its GRUB can do.
_FEATURES = (
    "chainloader_bpb", "ntldr", "platform_search_hint", "default_font_path", "all_video_module", "menuentry_id", "menuentry_options",
    "200_final", "nativedisk_cmd", "timeout_style",
)  # fmt: skip
_PLATFORM = {"bios": "pc", "uefi": "efi"}
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


_NUMBER = re.compile(r"[ \t\r\n\f\v]*(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_MAX_INT = 1 << 31


@dataclass(frozen=True, slots=True)
class _Node:
    """An item of the menu. A submenu has ``children``, and ``chosen`` is its own default, if it sets one.

    ``fails``: its kernel certainly does not exist, or this GRUB lacks the command that loads it. ``undecided``: see :class:`Boot`.
    """

    item: MenuItem
    entry: BootEntry | None
    children: tuple[_Node, ...] = ()
    chosen: Located | None = None
    fails: bool = False
    undecided: bool = False


def grub_menu(files: GrubFiles, path: str, program: GrubProgram) -> BootMenu:
    """The menu of a GRUB that starts with the configuration at the guest path ``path``.

    FactUnavailable when the script takes too long to evaluate.
    """
    shell = new_shell(files, _always(program), program)
    folder, device = files.inside(path).rsplit("/", 1)[0], files.device_of(path)
    shell.env.update(
        prefix=Located(f"({device}){folder}"), config_directory=Located(f"({device}){folder}"), root=Located(device), cmdpath=None
    )
    shell.config, shell.exported = path, set(shell.env)
    shell.source(GuestPath(path, exists=files.fs.exists(path)))
    return _menu(shell, program)


def grub_program_menu(files: GrubFiles, program: GrubProgram, build: GrubBuild) -> BootMenu:
    """The menu of an EFI program: its embedded configuration, then the one in the folder that it uses as its prefix."""
    files = dataclasses.replace(files, memory=build.memory)
    shell = new_shell(files, _always(program) | start(program, build, files), program)
    shell.config, shell.exported = program.path, set(shell.env)
    shell.execute(GuestText(program.path, build.config))
    if reads_its_prefix(shell):
        _go_on(shell, program)
    return _menu(shell, program)


def reads_its_prefix(shell: GrubShell) -> bool:
    """Whether GRUB goes on with the configuration at its prefix after the embedded one: not if that has started a menu or a system.

    ``exit`` ends GRUB itself (grub-core/commands/minicmd.c); anything else only ends the script.
    """
    return not shell.normal and shell.leave not in ENDS


def _go_on(shell: GrubShell, program: GrubProgram) -> None:
    """GRUB's normal mode, with the configuration at its prefix."""
    if blind := program.blind(shell):
        shell.lost.append(blind)
        return
    place = shell.locate(f"{shell.value('prefix')}/grub.cfg")
    shell.config = place.path if place.exists else shell.config
    shell.set("config_directory", shell.value("prefix"))
    shell.leave = ""
    shell.source(place)


def _menu(shell: GrubShell, program: GrubProgram) -> BootMenu:
    if shell.leave == "exit" and not shell.handed:
        stops = f"{shell.config} runs `exit` before a menu comes up"
        return BootMenu("grub2", program.firmware, WholeFile(shell.config), (), None, stops, tuple(shell.read), (), stops)
    shell = shell.handed or shell
    nodes = _nodes(shell, shell.menu, "", 0)
    if shell.steps > MAX_STEPS:
        raise FactUnavailable(WholeFile(shell.config), f"takes more than {MAX_STEPS} steps to follow")
    entries = tuple(entry for node in nodes for entry in _entries(node))
    default, reason = _default(shell, nodes)
    boot = shell.boot
    # What is not there is not started: the menu comes up.
    if boot.kernel and boot.started is not False and not (entries and _is_gone(boot) and not boot.undecided):
        own = _entry(shell, MenuItem("", "", (), None), boot, "0")
        sure = not boot.undecided and (shell.leave == "boot" or not (entries or boot.started is None))
        entries, default = (own, *entries), own if sure else None
        reason = "the configuration boots it without a menu" if sure else "what the configuration boots depends on the machine"
    stops = "" if entries or shell.doubts else _end(shell)
    files = tuple(dict.fromkeys((shell.config, *shell.read)))
    malformed = tuple(shell.malformed)
    return BootMenu("grub2", program.firmware, WholeFile(shell.config), entries, default, reason, files, malformed, stops)


def _end(shell: GrubShell) -> str:
    """Why a configuration without entries ends at GRUB's prompt; empty when it does not."""
    if shell.boot.kernel or shell.boot.chainload:
        return "" if shell.boot.started is not False else f"{shell.config} loads a system and does not run `boot`"
    return " and ".join(dict.fromkeys(shell.lost[:4]))


def _always(program: GrubProgram) -> Environment:
    env: Environment = {f"feature_{name}": Located("y") for name in _FEATURES}
    env["grub_platform"] = Located(_PLATFORM[program.firmware]) if program.firmware else None
    env["grub_cpu"] = env["?"] = None
    return env


def _nodes(shell: GrubShell, items: Sequence[MenuItem], prefix: str, depth: int) -> tuple[_Node, ...]:
    return tuple(_node(shell, item, f"{prefix}{index}", depth) for index, item in enumerate(items))


def _node(shell: GrubShell, item: MenuItem, position: str, depth: int) -> _Node:
    if item.bls:
        place, undecided = shell.locate(item.bls.linux.value if item.bls.linux else ""), _is_bls_undecided(shell, item.bls)
        fails = place.certain and not place.exists
        return _Node(item, _bls_entry(shell, item, item.bls, position), fails=fails, undecided=undecided)
    inner = shell.inner(shell.visible() if item.submenu else dict(shell.env), (Field(Located(item.title)), *item.args))
    inner.env.pop("default", None)  # the rest of a chain of names, followed by _chosen
    inner.run(item.body)
    shell.steps = inner.steps
    shell.read.extend(inner.read)
    opened = inner.handed or (inner if item.submenu else None)
    if opened:
        children = _nodes(opened, opened.menu, f"{position}>", depth + 1) if depth < MAX_SUBMENUS else ()
        own = (opened.env.get("default") or Located()) if inner.handed or "default" in opened.env else None
        return _Node(item, None, children, own, undecided=opened.is_unknown("default"))
    entry = _entry(inner, item, inner.boot, position)
    gone = _is_gone(inner.boot) and not entry.chainload
    return _Node(item, entry, fails=gone or bool(entry.unknown_command), undecided=inner.boot.undecided)


def _is_gone(boot: Boot) -> bool:
    place = boot.kernel_path
    return place is not None and place.certain and not place.exists


def _entries(node: _Node) -> list[BootEntry]:
    return [node.entry] if node.entry else [entry for child in node.children for entry in _entries(child)]


def _entry(shell: GrubShell, item: MenuItem, boot: Boot, position: str) -> BootEntry:
    kernel = boot.kernel_path if boot.kernel else None
    where: Where = boot.kernel.where if boot.kernel.runs else item.where or WholeFile(shell.config)
    return BootEntry(
        title=item.title,
        id=item.id,
        kernel=kernel.path if kernel else "",
        initrds=tuple(place.path for place in boot.initrd_paths),
        args=word_args(boot.args, where),
        where=where,
        source=_path(where, shell),
        kernel_at=boot.kernel.token,
        initrd_at=_tokens(boot.initrds),
        version=_version(shell, kernel),
        goes_on=True,
        position=position,
        foreign=kernel.foreign if kernel else False,
        conditional=item.conditional,
        xen=boot.xen,
        chainload=boot.chainload,
        unknown_command=boot.unknown[0] if boot.unknown else "",
        unknown_at=boot.unknown[1] if boot.unknown else None,
        real_mode=boot.real_mode,
    )


def _path(where: Where | None, shell: GrubShell) -> str:
    return where.path if isinstance(where, Span | WholeFile) else shell.config


def _tokens(words: Sequence[Located]) -> tuple[Token, ...]:
    return tuple(token for word in words if (token := word.token))


def _version(shell: GrubShell, kernel: GuestPath | None) -> str:
    return kernel_version(kernel.path, shell.files.fs.resolve(kernel.path) or "") if kernel else ""


def _bls_entry(shell: GrubShell, item: MenuItem, entry: BlsEntry, position: str) -> BootEntry:
    assert entry.linux
    kernel = shell.locate(entry.linux.value)
    # Red Hat's blscfg takes $default_kernelopts for an entry without options.
    options = _expanded(shell, entry.options[0]) if entry.options else shell.env.get("default_kernelopts") or Located()
    # One line may become several files: `initrd /initramfs.img $tuned_initrd`.
    words = [word for token in entry.initrds for word in _expanded(shell, token).text.split()]
    return BootEntry(
        title=item.title,
        id=entry.id,
        kernel=kernel.path,
        initrds=tuple(shell.locate(word).path for word in words),
        args=split_args(options),
        where=entry.options[0].where if entry.options else entry.where,
        source=entry.where.path,
        kernel_at=entry.linux,
        initrd_at=entry.initrds,
        version=_version(shell, kernel) or (entry.version.value if entry.version else ""),
        goes_on=True,
        position=position,
        foreign=kernel.foreign,
        conditional=item.conditional,
    )


def _expanded(shell: GrubShell, token: Token) -> Located:
    text = shell.files.fs.text(token.where.path)
    assert text, "the token comes from this file"
    parts: list[Located] = []
    position = token.where.start
    for match in _VARIABLE.finditer(text.content, token.where.start, token.where.end):
        parts.append(literal(text, position, match.start()))
        parts.append(shell.env.get(match[1]) or Located())
        position = match.end()
    return join((*parts, literal(text, position, token.where.end)))


def _is_bls_undecided(shell: GrubShell, entry: BlsEntry) -> bool:
    """Whether its arguments, or its files, depend on the machine."""
    default = Field(Located()).then(texts_of(shell.env.get("default_kernelopts", Located())))
    lines = [word for token in entry.options[:1] for word in _words(shell, token)] if entry.options else [default]
    files = [word for token in entry.initrds for word in _words(shell, token)]
    names = [*([entry.linux.value] if entry.linux else ()), *(text for word in files for text in word.texts)]
    elsewhere = shell.is_unknown("root") and any(shell.files.is_on_several(name) for name in names)
    return elsewhere or any(len(word.texts) != 1 and word.matters for word in lines) or any(len(word.texts) != 1 for word in files)


def _words(shell: GrubShell, token: Token) -> list[Field]:
    """The words of a line, each with all that it may be."""
    found: list[Field] = []
    for word in token.value.split():
        field, position = Field(Located()), 0
        for match in _VARIABLE.finditer(word):
            field = field.then(frozenset((word[position : match.start()],))).then(texts_of(shell.env.get(match[1], Located())))
            position = match.end()
        found.append(field.then(frozenset((word[position:],))))
    return found


def _default(shell: GrubShell, nodes: Sequence[_Node]) -> tuple[BootEntry | None, str]:
    if not nodes:
        return None, f"{shell.config} has no entries"
    if shell.is_unknown("default"):
        return None, "the default depends on the machine"
    value = shell.env.get("default") or Located("0")
    origin = f" ({value.runs[0].source.path})" if value.runs else ""
    node, reason = _chosen(shell, nodes, _chain(value.text), f"default={value.text}{origin}")
    # grub_menu_execute_with_fallback (normal/menu.c): when an entry fails to load, the next of these is tried.
    fallback = shell.value("fallback").split()[:MAX_FALLBACKS]
    if node is not None and node.fails and shell.is_unknown("fallback"):
        return None, f"{reason} does not start, and the fallback depends on the machine"
    while node is not None and node.fails and fallback:
        word = fallback.pop(0)
        other = _chosen(shell, nodes, [word], f"{reason} does not start, and fallback={word}")[0] if _names(shell, nodes, word) else None
        if other is not None and not other.fails:
            return other.entry, f"{reason} does not start, and fallback={word}"
    return node.entry if node else None, reason


def _names(shell: GrubShell, nodes: Sequence[_Node], word: str) -> bool:
    """Whether ``fallback`` names an entry: by number, and in Red Hat's GRUB also by name."""
    by_name = _by_name(shell, nodes)
    return (by_name or bool(_NUMBER.match(word))) and _index(nodes, word, by_name=by_name)[1]


def _by_name(shell: GrubShell, nodes: Sequence[_Node]) -> bool:
    """Whether names take precedence over numbers: the patch is part of every GRUB with ``blscfg``."""
    return shell.files.by_name or any(node.item.bls for node in nodes)


def _chain(value: str) -> list[str]:
    # `>` separates the levels of submenus, `>>` is a `>` in a title.
    return [part.replace("\0", ">") for part in value.replace(">>", "\0").split(">")]


def _chosen(shell: GrubShell, nodes: Sequence[_Node], chain: Sequence[str], reason: str) -> tuple[_Node | None, str]:
    while True:
        index, found = _index(nodes, chain[0] if chain else "0", by_name=_by_name(shell, nodes))
        if not found:
            reason = f"{reason} names no entry, so the first is taken"
        numbered = found and chain and _NUMBER.match(chain[0])
        # A conditional entry above shifts every number, while names stay what they are.
        if any(node.item.conditional for node in (nodes[: index + 1] if numbered or not found else nodes[index : index + 1])):
            return None, f"{reason}, but whether its entry is there depends on the machine"
        if not numbered and not all(node.item.named for node in (nodes[: index + 1] if found else nodes)):
            return None, f"{reason}, and a title that depends on the machine may be the same"
        node, chain = nodes[index], chain[1:]
        if node.undecided:
            return None, f"{reason}, and what it loads depends on the machine"
        if node.entry is not None:
            return node, reason
        if not node.children:
            return None, f"{reason}, a submenu without entries"
        nodes, chain = node.children, chain if node.chosen is None else _chain(node.chosen.text)


def _index(nodes: Sequence[_Node], name: str, *, by_name: bool) -> tuple[int, bool]:
    """The index of the entry called ``name``, and whether there is one.

    GRUB treats a name that starts with a digit as a number, in C notation (``get_entry_number`` of grub-core/normal/menu.c); Red Hat's GRUB
    looks for an identifier first, then for a title.
    """
    number = _NUMBER.match(name)
    titles = [index for index, node in enumerate(nodes) if name in (node.item.title, node.item.id)]
    named = next((index for index in titles if name == nodes[index].item.id), titles[0] if titles else None)
    if number and not (by_name and named is not None):
        text = number[1]
        index = int(text, 16 if text[:2] in ("0x", "0X") else 8) if text[0] == "0" else decimal(text)
        return (index, True) if index < min(len(nodes), _MAX_INT) else (0, False)
    found = named if by_name else titles[0] if titles else None
    return (0, not name) if found is None else (found, True)
