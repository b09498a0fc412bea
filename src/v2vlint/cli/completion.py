"""``v2vlint completion``: shell completions and the manual page, generated from the command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator

from v2vlint import target
from v2vlint.cli import output
from v2vlint.cli.surface import Option, Takes, VerbSurface, verbs
from v2vlint.report.registry import FORMATS

DEFAULT = "check"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "man"), help="for this shell; 'man' prints the manual page")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    if args.shell == "man":
        from v2vlint.cli.manual import manual

        output.write(manual(verbs()), "raw")
    else:
        render = {"bash": bash, "zsh": zsh, "fish": fish}[args.shell]
        output.write(render(verbs()), "raw")
    return 0


def words(option: Option) -> tuple[str, ...]:
    """The values to offer for an option; empty for files and values that cannot be listed."""
    if option.takes is Takes.TARGET:
        return target.names()
    if option.takes is Takes.REPORT:
        return tuple(f"{name}=" for name in FORMATS)
    if option.takes is Takes.RULE:
        from v2vlint.engine.packs import load_all

        return tuple(rule.id for rule in load_all())
    return option.choices


def bash(known: Iterable[VerbSurface]) -> str:
    """A script to be sourced: ``source <(v2vlint completion bash)``."""
    known = tuple(known)
    names = " ".join(verb.name for verb in known)
    lines = [
        "# bash completion of v2vlint: source <(v2vlint completion bash)",
        "_v2vlint() {",
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=check flags=",
        f'    case " {names} " in *" ${{COMP_WORDS[1]}} "*) [ "$COMP_CWORD" -gt 1 ] && verb=${{COMP_WORDS[1]}} ;; esac',
        "    COMPREPLY=()",
        '    case "$verb $prev" in',
        *(line for verb in known for option in verb.options for line in _bash_value(verb, option)),
        "    esac",
        '    case "$verb" in',
        *(f"        {verb.name}) flags={shlex.quote(' '.join(_flags(verb)))} ;;" for verb in known),
        "    esac",
        '    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$cur")); return; fi',
        f'    [ "$COMP_CWORD" -eq 1 ] && COMPREPLY=($(compgen -W "{names}" -- "$cur") $(compgen -f -- "$cur"))',
        '    case "$verb" in',
        *(line for verb in known for option in verb.arguments for line in _bash_argument(verb, option)),
        "    esac",
        "}",
        "complete -o default -F _v2vlint v2vlint",
    ]
    return "\n".join(lines) + "\n"


def _flags(verb: VerbSurface) -> Iterator[str]:
    return (flag for option in verb.options for flag in option.flags)


def _bash_value(verb: VerbSurface, option: Option) -> Iterator[str]:
    if option.takes is Takes.NOTHING:
        return
    pattern = "|".join(f'"{verb.name} {flag}"' for flag in option.flags)
    # After FORMAT= comes the name of a file.
    nospace = "compopt -o nospace; " if option.takes is Takes.REPORT else ""
    offered = shlex.quote(" ".join(words(option)))
    action = f'COMPREPLY=($(compgen -W {offered} -- "$cur")); {nospace}' if words(option) else ""
    if option.takes is Takes.FOLDER:
        action = 'COMPREPLY=($(compgen -d -- "$cur")); '
    yield f"        {pattern}) {action}return ;;"


def _bash_argument(verb: VerbSurface, option: Option) -> Iterator[str]:
    if words(option):
        offered = shlex.quote(" ".join(words(option)))
        yield f'        {verb.name}) [ "$COMP_CWORD" -gt 1 ] && COMPREPLY=($(compgen -W {offered} -- "$cur")) ;;'


def zsh(known: Iterable[VerbSurface]) -> str:
    """A function file: write ``v2vlint completion zsh`` to ``_v2vlint`` in a folder of ``$fpath``, or source it after compinit."""
    known = tuple(known)
    lines = [
        "#compdef v2vlint",
        "_v2vlint() {",
        "    local -a verbs",
        f"    verbs=({' '.join(shlex.quote(f'{verb.name}:{verb.summary}') for verb in known)})",
        "    local verb=check",
        "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then _describe verb verbs; _files; return; fi",
        "    if (( ${verbs[(I)${words[2]}:*]} )); then verb=$words[2]; shift words; (( CURRENT-- )); fi",
        "    case $verb in",
        *(line for verb in known for line in _zsh_verb(verb)),
        "    esac",
        "}",
        'if [[ $funcstack[1] == _v2vlint ]]; then _v2vlint "$@"; else compdef _v2vlint v2vlint; fi',
    ]
    return "\n".join(lines) + "\n"


def _zsh_verb(verb: VerbSurface) -> Iterator[str]:
    yield f"        {verb.name})"
    specs = " ".join(shlex.quote(spec) for option in (*verb.options, *verb.arguments) for spec in _zsh_specs(option))
    yield from (f"            _arguments -s {specs}", "            ;;")


def _zsh_specs(option: Option) -> Iterator[str]:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    action = {Takes.FILE: "_files", Takes.FOLDER: "_files -/"}.get(option.takes, f"({' '.join(words(option))})" if words(option) else " ")
    message = option.metavar.strip("{}").replace(":", "\\:").partition(",")[0] or "value"
    value = "" if option.takes is Takes.NOTHING else f":{message}:{action}"
    star = "*" if option.repeatable else ""
    if not option.flags:
        yield f"{star}:{message}:{action}"
    for flag in option.flags:
        yield f"{star}{flag}[{text}]{value}"


def fish(known: Iterable[VerbSurface]) -> str:
    """A file for ``~/.config/fish/completions``."""
    known = tuple(known)
    others = " ".join(verb.name for verb in known if verb.name != DEFAULT)
    lines = ["# fish completion of v2vlint"]
    lines += [f"complete -c v2vlint -n __fish_use_subcommand -a {verb.name} -d {_fish_quote(verb.summary)}" for verb in known]
    for verb in known:
        when = f"not __fish_seen_subcommand_from {others}" if verb.name == DEFAULT else f"__fish_seen_subcommand_from {verb.name}"
        offered = [" ".join(words(option)) for option in verb.arguments if words(option)]
        lines += [f"complete -c v2vlint -n '{when}' {' '.join(_fish_option(one))} -d {_fish_quote(one.help)}" for one in verb.options]
        lines += [f"complete -c v2vlint -n '{when}' -f -a {_fish_quote(choice)}" for choice in offered]
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> Iterator[str]:
    for flag in option.flags:
        yield f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
    if option.takes in (Takes.FILE, Takes.FOLDER):
        yield "-r"
    elif option.takes is not Takes.NOTHING:
        yield "-x"
        yield from [f"-a {_fish_quote(' '.join(words(option)))}"] if words(option) else []


def _fish_quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
