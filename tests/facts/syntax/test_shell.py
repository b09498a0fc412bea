"""Values are those that dash(1) and bash(1) have after sourcing the file, or they are unknown."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.facts.guests import HOSTILE
from v2vlint.facts.syntax.shell import assignment, statements
from v2vlint.facts.syntax.shell_run import ShellRun
from v2vlint.facts.syntax.shell_source import source, sourced_values
from v2vlint.guest.text import GuestText
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

NAMES = ("A", "B", "C", "D", "E", "F", "M", "LANG", "RESUME", "resume_offset", "GRUB_CMDLINE_LINUX")
# Values that both shells give, and that can be told.
TEXTS = (
    "RESUME=UUID=0a3f resume_offset=34816\n",
    "RESUME=/dev/sda2 # comment\nRESUME=none;A=1;\n",
    'RESUME="UUID="0a3f\nA=a"b c"\'d e\'f\n',
    "LANG=C true\nA=2\n",
    "export A=1 B='2 3'\nreadonly C\n",
    'A="one two"\nB="$A three"\nC=$A-x\nD=${A}y${NONE:-z}w\n',
    "A=x\nB=${A:+y}${NONE:+z}${A-q}${NONE-r}\nE=\nC=${E:-s}${E-t}\n",
    'A="it\'s"\nB=\'say "x"\'\nC=a"b c"\'d e\'f\n',
    'A="a\\"b\\\\c\\$d"\nB=a\\ b\\"c\nC="x\\y"\n',
    "A=1\\\n\nB=\"x \\\ny\"\nC='x\ny'\nD=1\\\n2\n",
    "A=1 \\\n B=2\nRESUME=a\\\nb\n",
    "A=\nB= C=x\nD=a#b\n#E=1\n F=2\n",
    "RESUME=UUID=1\nunset RESUME\nA=1\nunset -v A B\n",
    "A=1 && B=2\nfalse && A=3\nfalse || C=4\ntrue || C=5\n: && D=6\n",
    "A=1 &&\n\n  B=2\n",
    "A=1\r\nB='2'\r\nC=\"3\"\r\n",
    "(A=1)\nB=2 | cat\nC=3 &\nD=4\n",
    "cat >/dev/null <<EOF\nA=1\nEOF\nB=2 >/dev/null\nC=3 2>/dev/null\necho A=1 2>&1\n",
    "f() { A=1; }\nB=2\n",
    "f ()\n{\n A=1\n}\nB=2\n",
    "A=1\nreturn 0\nA=2\n",
    'GRUB_CMDLINE_LINUX="quiet"\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0"\n',
    "A=$'\nB=1\n"[:0] + "A=a$ B='$x' C=\"$\"\n",
    "A=x~y B=1\n",
    "set -e\nset -a\nA=1\n",
    'A=x\n: "${A:=y}" ${A=z}\nB=1\n',
    "A=1\n: \"${A%x}\" $((A + 2*3)) ${NONE:-$A}\nB=2\n",
    "A=1\ncommand -p unset -- A\ncommand -v unset >/dev/null\nB=1\n",
    "A=1\ncat <<'E' >/dev/null\n${B:=1} $((A=2))\nE\n",
    "f() {\n: ${A:=1} $((B=1))\n}\n(: ${C:=1})\n",
    "set -e\nA=1\nexport B=2\nset +e\nfalse\nC=3\n",
)  # fmt: skip
# Values that depend on what is not evaluated, on the shell, or on a file that ends early.
UNTOLD = (
    ("A=0\nif true; then A=1; fi\nif [ -z \"$X\" ]\nthen\n  B=2\nfi\n", "AB"),
    ("A=0\ncase x in x) A=1 ;; esac\nfor B in 1 2; do C=$B; done\n", "ABC"),
    ("A=0\n{ A=1; }\nwhile false; do B=1; done\n", "AB"),
    ("A=$(echo x)\nB=`echo \"y)\"`\nC=$((1+1)) D=$1\n", "ABCD"),
    ("A=1\ncd / && A=2\n", "A"),
    ("f() { A=1; }\nf\n", "A"),
    ("A=1\neval A=2\nB=1\nread B </dev/null\n", "AB"),
    ("A=1\n. ./missing\n", "A"),
    ("A=~ B=x:~ C=${D:=4}\n", "ABD"),
    ("A=1 :\nB=1 export C\n", "AB"),
    ("readonly A=1\nA=2\n", "A"),
    ("A=1\nB='x\n", "AB"),
    ("A=1\nif true; then\n", "A"),
    ("A=1\nexit 0\n", "A"),
    ("A=1\nB=x; fi\n", "A"),
    ("A=1\nfor B in x; done\n", "A"),
    ("A=1\ncase in x) ;; esac\n", "A"),
    ("A=1\nif true; fi\n", "A"),
    ("A=1\nthen B=1\n", "A"),
    ("A=1\ntrue | ! B=1\n", "A"),
    ("A=1\n\\$() { B=1; }\n", "A"),
    (": \"${A:=y}\"\n[ -n \"${B:=1}\" ]\nfor i in ${C:=1}; do :; done\ncase ${D:=1} in x) ;; esac\n", "ABCD"),
    ("if [ x = \"${A=1}\" ]; then :; fi\n! : ${B:=1}\nLANG=${C:=1} true\nf=1 ${D:=true}\n", "ABCD"),
    (": <<E\n${A:=1}\nE\ncat <<-E >/dev/null\n\tx ${B:=1}\n\tE\n", "AB"),
    (": <<E; B=$A\n${A:=1}\nE\n", "AB"),
    ("A=x; B=$((A=2))\n", "AB"),
    ("A=x\ntrue $((A=3))\n", "A"),
    ("A=; B=${A:=$HOME}\n", "AB"),
    ("B=$1${A:=x}\n", "AB"),
    ("A=1\nB=${C:?gone}\n", "A"),
    ("A=1\nB=${C:-${A:=2}${D:=3}}\n", "AD"),
    ("A=1\n: $((1/0))\n", "A"),
    ("A=1\nB=A=3\n: $((B))\n", "A"),
    ("A=1\nB=A\nunset $B\n", "A"),
    ("A=1\nunset 'A[0]'\n", "A"),
    ("A=1\nunset -n A\n", "A"),
    ("A=1\nunset -fv A\n", "A"),
    ("A=1\nunset 1A\n", "A"),
    ("A=1\nB=A\nread $B </dev/null\n", "A"),
    ("A=1\nB=A\ncommand -p -- unset $B\n", "A"),
    ("A=1\ncommand $B\n", "A"),
    ("A=1\nshift\n", "A"),
    ("A=1\nexport -x A\n", "A"),
    ("A=1\nset -e\ntest 1 = 2\nA=2\n", "A"),
    ("A=1\nset -e\ntrue | false\n", "A"),
    ("A=1\ntrap 'A=2' EXIT\n", "A"),
    ("A=(B=(B=(x)))\n", "A"),
)  # fmt: skip
# bash's own forms: told for bash, unknown for dash.
BASH = (
    ("A=1\nA+=2\nB+=x\n", "AB"),
    ("A=(a b\n  c) M=1\n", "A"),
    ("A=(\rb)\n", "A"),
    ("case 1\nin 1) ;; esac\nA+=1\n[[ a = b ]] && :\nB+=1\n", "AB"),
    ("[[ ! -f /x ]] && B=1\nA+=2\n[[ $A == x && ( -n $C || ! x > y ) ]] && B=1\nD+=2\n", "AD"),
    ("f() { [[ ! -f x || -z ${A} ]]; }\nif [[ $A =~ ^(a|b)$ ]]; then B=1; fi\nwhile ((X)); do :; done\nA=1+\nA+=1\n", "A"),
    ("A=1\nB=()\n", "A"),
    ("A=(a)\nA+=(b)\nA+=c\n", "A"),
    ("declare -r D=4\ndeclare E='a b'\n", "DE"),
    ("A=(#c\n b '*' \"{x,y}\")\n", "A"),
    ("A=/a/b.c\n: ${A//x/y} ${A^^} ${A:0:3} ${A:1} ${#A}\nA+=x\n", "A"),
)
# bash's own forms that even for bash are unknown.
UNTOLD_BASH = (
    ("A=1\nB=A\nprintf -v $B y\n", "A"),
    ("A=1\nprintf -vA y\n", "A"),
    ("A=1\nsleep 0 &\nwait -n -p A\n", "A"),
    ("declare -i A\nA=1+1\ndeclare -u B\nB=x\ndeclare -l C=X\nC=Y\n", "ABC"),
    ("declare -n A=B\nB=1\nA=2\n", "B"),
    ("A=({a,b})\nB='*'; C=($B)\nD=(/*)\n", "ACD"),
    ("A=' x'\nB=($A)\n", "B"),
    ("IFS=,\nA=x,y\nB=($A)\n", "B"),
    ("export A={a,b}\n", "A"),
    ("A=1\n{unset,A}\n", "A"),
    ("A=1\n[[ A=2 -eq 2 ]]\n", "A"),
    ("[[ | -eq 1 ]]\nA=1\n", "A"),
    ("[[ x y -eq 1 ]]\nA=1\n", "A"),
    ("[[ x && ]]\nA=1\n", "A"),
    ("[[ x\n]]\nA=1\n", "A"),
    ("[[ ( x ]]\nA=1\n", "A"),
    ("declare -i A\nA=a=\nB=1\n", "AB"),
    ("[[ -n ${A:=1} ]]\nC=3 D=${B:=1}\n", "AB"),
    ("A=\n" + "A+=' b'\"c\"\n" * 600, "A"),
    ("A=1\nB=$[A=2]\n", "A"),
    ("A=1\ntime A=2\n", "A"),
    ("read -aA <<<x\n", "A"),
)


def _run(text: str, bash: bool) -> ShellRun:
    return sourced_values([GuestText("/x", text)], bash=bash)


def _theirs(shell: str, text: str, folder: Path) -> dict[str, str] | None:
    """Values by name; None when the shell ended."""
    (folder / "file").write_bytes(text.encode("utf-8", "surrogateescape"))
    show = "".join(f'printf "%s\\0" "${{{name}}}"; ' for name in NAMES)
    done = subprocess.run(
        [shell, "-c", f". ./file >/dev/null; printf '@\\0'; {show}"],
        cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=10,
    )  # fmt: skip
    told = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return dict(zip(NAMES, told[1:], strict=False)) if told[0] == "@" and len(told) > len(NAMES) else None


def _agree(text: str, folder: Path) -> Counter[bool]:
    told: Counter[bool] = Counter()
    for shell in ("dash", "bash"):
        ours, theirs = _run(text, shell == "bash"), _theirs(shell, text, folder)
        for name in NAMES:
            value = ours.get(name)
            told[not value.why] += name in text
            if not value.why:
                assert theirs is not None, (shell, name, text)
                assert value.text.text == theirs[name], (shell, name, text)
    return told


@pytest.mark.parametrize("text", TEXTS)
def test_values_are_those_of_both_shells(text: str, tmp_path: Path) -> None:
    assert not _agree(text, tmp_path)[False], text


@pytest.mark.parametrize(("text", "names"), UNTOLD)
def test_what_is_not_evaluated_is_unknown(text: str, names: str, tmp_path: Path) -> None:
    _agree(text, tmp_path)
    for bash in (True, False):
        assert all(_run(text, bash).get(name).why for name in names), text


@pytest.mark.parametrize(("text", "names"), BASH)
def test_forms_of_bash(text: str, names: str, tmp_path: Path) -> None:
    _agree(text, tmp_path)
    assert not any(_run(text, True).get(name).why for name in names)
    assert all(_run(text, False).get(name).why for name in names)


@pytest.mark.parametrize(("text", "names"), UNTOLD_BASH)
def test_forms_of_bash_that_are_not_evaluated(text: str, names: str, tmp_path: Path) -> None:
    _agree(text, tmp_path)
    assert all(_run(text, True).get(name).why for name in names)


_PIECES = (
    "a", "b c", '"', "'x'", '"y z"', "\\ ", "$A", "${B}", '"$A"', " ", "#", "=", "1", "\\\n", "\r", "~", ":", "$", "${C:-q}", "${C+r}", "'",
    "\t", "$(echo s)", "`echo t`", "\\", "$'u'", "[", "é", "*", "&&", "|", ";", "(", "x)", "<", ">/dev/null",
    "${D:=x}", "${A=$B}", "$((A+1))", "$((B=2))", "${A:?x}", "${A%b}", "${B^^}", "${C:-${D:=1}}", "{a,b}",
)  # fmt: skip
_LINES = (
    "unset {0}", "export {0}={1}", "readonly {0}={1}", "export {0}", "{0}={1} {2}={1}", "{0}={1} # {2}=x", "{0}+={1}",
    "if true; then {0}={1}; fi",
    "if false\nthen\n {0}={1}\nelse {2}=1\nfi", "{0}={1} && {2}=2", "false || {0}={1}", "true | {0}={1}", "({0}={1})", "{{ {0}={1}; }}",
    "{0}={1} true", "{0}={1} :", "f() {{ {0}={1}; }}", "f", "cat <<E >/dev/null\n{0}={1}\nE", "{0}=({1} {2})", "declare {0}={1}",
    "local {0}={1}",
    "case {2} in {2}) {0}={1};; esac", "for {0} in {1}; do {2}=$A; done", "eval {0}={1}", "! {0}={1}", "true &&\n{0}={1}", "{0}[1]={1}",
    "return 0", "test -n \"${2}\" && {0}={1}", "[ x ] && return", "set -- {1}", "{0}={1}\r", "{0}={1} &", "command export {0}={1}",
    ". /nothing/there", "set -u", "while false; do {0}={1}; done", "{0}={1}; {2}={1};", "\\\n{0}={1}", "{0}='{1}'", '{0}="{1}"',
    "alias {0}={1}",
    ": {1}", "[ -n {1} ]", "for i in {1}; do :; done", "case {1} in x) ;; esac", "[[ {1} -eq 1 ]]", "cat <<E >/dev/null\n{1}\nE",
    ": <<E\n{1}\nE",
    "unset ${0}", "unset -f {0}", "unset -n {0}", "unset '{0}[0]'", "read ${0} </dev/null", "printf -v{0} %s {1}",
    "command -p export {0}={1}",
    "command -- unset {0}", "declare -i {0}", "declare -u {0}={1}", "shift", "export -x {0}", "export -n {0}", "set -e", "set +e",
    "test -n {1}",
    "{0}=(#c\n{1})", "[ -f /q ] || return 0", "{0}=$((${0}+1))", "trap : EXIT", "command ${0}", "unset 1A",
)  # fmt: skip


def _random_file(chance: random.Random) -> str:
    lines: list[str] = []
    for _ in range(chance.randrange(2, 6)):
        pieces = _PIECES[: chance.choice((4, 13, 20, len(_PIECES)))]
        value = "".join(chance.choices(pieces, k=chance.randrange(5)))
        form = chance.choice(_LINES) if chance.random() < 0.5 else "{0}={1}"
        lines.append(form.format(chance.choice("ABCD"), value, chance.choice("ABCD")))
    return "\n".join(lines) + chance.choice(("\n", "", "\n\n"))


def _disagreements(seeds: Iterable[int], folder: Path) -> Counter[bool]:
    told: Counter[bool] = Counter()
    for seed in seeds:
        told += _agree(_random_file(random.Random(seed)), folder)
    return told


def test_random_files(tmp_path: Path) -> None:
    told = _disagreements(range(100), tmp_path)
    assert told[True] > told[False] / 4, "nearly nothing could be told"


def test_what_exceeds_a_limit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v2vlint.facts.syntax.shell_run.MAX_ASSIGNMENTS", 3)
    assert not _run("A=x\nB=x\nA=y\n", True).get("A").why
    assert _run("A=x\nB=x\nA=z\nA=y\n", True).get("A").why


@pytest.mark.parametrize(
    "name", ["GRUB_DEVICE_UUID", "GRUB_FS", "prefix", "sysconfdir", "SHLVL", "IFACE", "RC_SVCNAME", "dracutsysrootdir"]
)
def test_what_the_caller_may_have_set_is_not_empty(name: str) -> None:
    for line in (f"A=x${{{name}}}", f"A=${{{name}:-x}}", f": ${{{name}:=1}}\nA=${name}"):
        assert _run(line, True).get("A").why, line
    assert _run(f"{name}=1\nA=x${name}\n", True).get("A").text.text == "x1"
    assert not _run(f"unset {name}\nA=x${name}\n", True).get("A").why


def test_a_file_that_sources_itself_often_is_read_once() -> None:
    files = {f"/{name}": f". /{'b' if name == 'a' else 'a'}\n" * 9 + f". /{name}\n" * 9 for name in "abc"}
    run = ShellRun(fs=memory_guest(files))
    source(run, GuestText("/x", ". /a\nA=1\n. /c\n"))
    assert run.sourced < 400


def test_items_of_lists(tmp_path: Path) -> None:
    text = "L=(base \"a b\" # don't\n  c\\ d)\nX=1\nM=(${X}2)\nN=($(echo 1 2))\nX='1 2'\nO=($X)\n"
    run = _run(text, True)
    assert [item.text for item in run.get("L").items or ()] == ["base", "a b", "c d"]
    assert [item.text for item in run.get("M").items or ()] == ["12"]
    assert run.get("N").why
    assert run.get("O").why


def test_files_that_are_sourced_are_followed() -> None:
    files = memory_guest({"/a": "A=1\n", "/self": ". /self\n"})
    for line, name, value in ((". /a", "A", "1"), (". /a\nA=$A-2", "A", "1-2"), ("source '/a'", "A", "1")):
        run = ShellRun(fs=files)
        source(run, GuestText("/x", f"{line}\n"))
        assert run.get(name).text.text == value
    ends = memory_guest({"/a": "[ -f /q ] || return\nA=1\n", "/b": "[ -f /q ] || exit\n"})
    for line, told in ((". /a\nA=2", True), (". /b\nA=2", False)):
        run = ShellRun(fs=ends)
        source(run, GuestText("/x", f"{line}\n"))
        assert bool(run.get("A").why) is not told
    for line in (". /none", ". /self", ". a", '. "$X"', "[ -f /a ] && . /a"):
        run = ShellRun(fs=files)
        source(run, GuestText("/x", f"A=0\n{line}\n"))
        assert run.get("A").why, line


_WORDS = (
    "x", "''", "''", '"$A"', '"$N"', '"${N:-y}"', "$A", "!", "=", "!=", "-n", "-z", "-f", "(", "]", "5", "-eq", "*", '"a b"', "~",
)  # fmt: skip
_PATHS = ("/etc/passwd", "/etc", "/etc/gone", "/etc/gone/x", "/etc/../etc/passwd", "/tmp/x", "/etc/passwd/", "etc/passwd")


def _tests(chance: random.Random) -> Iterable[str]:
    for _ in range(2):
        words = chance.choices(_WORDS, k=chance.randrange(5))
        if chance.random() < 0.4:
            words = [*chance.choices(("!",), k=chance.randrange(2)), f"-{chance.choice('efdrsxh')}", chance.choice(_PATHS)]
        end = chance.choice(("&&", "||"))
        yield chance.choice(("[ {} ] 2>/dev/null {} A=1{}", "test {} 2>/dev/null {} B=1{}")).format(" ".join(words), end, chance.random())


def test_answers_of_test_are_those_of_both_shells(tmp_path: Path) -> None:
    """The files are those of this host."""
    there = memory_guest({"/etc/passwd": "root"})
    told: Counter[bool] = Counter()
    for seed in range(150):
        text = "A='a b'\n" + "\n".join(_tests(random.Random(seed))) + "\n"
        for shell in ("dash", "bash"):
            ours = sourced_values([GuestText("/x", text)], bash=shell == "bash", fs=there)
            theirs = _theirs(shell, text, tmp_path)
            for name in "AB":
                told[not ours.get(name).why] += 1
                if not ours.get(name).why:
                    assert theirs is not None, (shell, text)
                    assert ours.get(name).text.text == theirs[name], (shell, name, text)
    assert told[True] > told[False] / 2, told


def test_what_a_link_leads_to_may_be_there_at_boot() -> None:
    links = memory_guest({"/etc/mtab": Link("../proc/self/mounts"), "/etc/d/x": Link("/run/x"), "/etc/a": Link("b"), "/etc/b": "1"})
    run = sourced_values([GuestText("/x", "[ -e /etc/mtab ] && A=1\ntest -f /etc/d/x || B=1\n[ -f /etc/a ] && C=1\n")], fs=links)
    assert [bool(run.get(name).why) for name in "ABC"] == [True, True, False]


def test_a_file_is_sourced_if_it_is_there() -> None:
    for line, value in (("[ -f /etc/a ] && . /etc/a", "1"), ("test -r /etc/gone && . /etc/gone", "0"), ("[ -e /gone/x ] && . /gone/x", "")):
        run = sourced_values([GuestText("/x", f"A=0\n{line}\n")], fs=memory_guest({"/etc/a": "A=1\n"}))
        assert run.get("A").text.text == value
        assert bool(run.get("A").why) is (not value)


@pytest.mark.parametrize(
    "text",
    [*HOSTILE, "test " + "! " * 5000, "[[ " * 5000, "[[ x && " * 3000, "[[ " + "( " * 3000,
     "A='" * 5000, 'A="$(' * 5000, "A=`" * 5001, "A=(" * 5000, "A=${" * 5000, "A=(a) " * 5000, "cat <<E\n" * 5000, "{ " * 5000,
     "A=(" * 700 + "x" + ")" * 700, "( " * 20000, "A=1\n" * 3000 + "eval x\n" * 3000],
)  # fmt: skip
def test_any_text_is_survived_and_keeps_its_places(text: str) -> None:
    whole = GuestText("/x", text)
    _run(text, True)
    for statement in statements(whole):
        for word in statement.words:
            one = assignment(whole, word)
            if one is not None:
                assert text[one.inner.where.start : one.inner.where.end] == one.inner.value
