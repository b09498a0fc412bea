"""Random configurations of GRUB 2, and what grub-emu, which is GRUB as a program, starts by default from them."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

from tests.facts.boot.grub.grub_samples import ID_OPTION, LOAD_ENV, SAVED

VARIABLES = ("a", "b", "c", "saved_entry", "next_entry", "boot_once", "x")
VALUES = ("", "0", "1", "2", "y", "one", "two words", "id1", "id2", "T 1", "1>0", "id3>id1", "a=b", "0x1", "id3>>id1", "5ab")
TITLES = ("T 1", "T 2", "one", "two", "1", "2x", "a>b")
_HEADS = ("", LOAD_ENV)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Writer:
    """A random configuration with the files beside it. Every entry tells its number and its arguments, and ends GRUB."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.number = 0

    def files(self) -> dict[str, str]:
        """The files of GRUB's folder."""
        found = {"grub.cfg": self.config(), "dir/x": "x", "empty": "", "bad": "nothing\n", "other": self.block_of_variables()}
        found |= {"grubenv": self.block_of_variables()} if self.draw.random() < 0.8 else {}
        if self.draw.random() < 0.8:
            found["more.cfg"] = self.some(2) + (self.entries(2) if self.draw.random() < 0.5 else "")
        return found

    def config(self) -> str:
        """grub.cfg."""
        saved = self.one("0", "${saved_entry}", "${saved_entry}", "id2", "1>1", "T 2")
        text = self.one(*_HEADS) + self.one("", SAVED % saved) + self.one("", ID_OPTION)
        text += "".join(self.statement(0) for _ in range(self.draw.randrange(6)))
        text += "".join(self.entries(0) for _ in range(self.draw.randrange(1, 4)))
        text += self.one("", "", f"set fallback={self.one('1', '2 1', 'id1', '0')}\n")
        return f"set timeout=0\n{text}{self.some(2)}set timeout=0\n"

    def one(self, *choices: str) -> str:
        return self.draw.choice(choices)

    def name(self) -> str:
        return self.draw.choice(VARIABLES)

    def value(self) -> str:
        return self.quoted(self.draw.choice(VALUES))

    def quoted(self, text: str) -> str:
        plain = text if text and not set(text) & set(" >") else f"'{text}'"
        return self.one(plain, f"'{text}'", f'"{text}"')

    def word(self) -> str:
        name = self.name()
        return self.one(
            f"${name}", f'"${name}"', f'"${{{name}}}"', f"${{{name}}}z", f'x"${name}"y', self.value(), self.value(), f"'${name}'",
            f"\\${name}", '"a\\"b"', "a\\ b", "x#y", "$?",
        )  # fmt: skip

    def condition(self) -> str:
        name, value = self.name(), self.value()
        return self.one(
            f'[ "${{{name}}}" ]', f'[ -n "${name}" ]', f'[ -z "${name}" ]', f'[ x"${name}" = x{value} ]', f'[ "${name}" != {value} ]',
            f"test {self.one('-f', '-e', '-d')} $prefix/{self.one('grubenv', 'more.cfg', 'none', 'dir', 'empty')}", "true", "false",
            f'[ ! -n "${name}" -o x = {self.one("x", "y")} ]', f'[ "${name}" = {value} -a {self.one("1 -lt 2", "2 -lt 1", "a == b")} ]',
            f'[ ( "${name}" = y -o -z "${name}" ) -a x{self.one("", "y", "1")} != xy ]',
            f"load_env {self.one('', '-f $prefix/none', 'a b')}",
            "source $prefix/none", f"[ ${name} = {self.one('y', '1')} ]", f"! [ \"${name}\" {self.one('-ge', '-gt', '-ne')} 1 ]",
            "[ $? = 0 ]", f"eval {self.word()}", f'[ "${name}" {self.one("-pgt", "-plt")} {value} ]',
            f"[ {self.one('', '!')} -z '' {self.word()} -o x = {self.one('x', 'y')} y ]",
        )  # fmt: skip

    def some(self, depth: int) -> str:
        return "".join(self.statement(depth) for _ in range(self.draw.randrange(1, 3)))

    def statement(self, depth: int) -> str:
        name = self.name()
        deep = (self.choice, self.loop, self.function) if depth < 4 else ()
        if deep and self.draw.random() < 0.3:
            return self.draw.choice(deep)(depth)
        return self.one(
            f"set {name}={self.word()}\n", f"set {name}={self.word()}\n", f"{name}={self.word()}\n", f"unset {name}\n", f"export {name}\n",
            f"load_env {self.one('', name, '--skip-sig', '-f $prefix/other')}\n", f"save_env {name}\n",
            f"{self.one('source', '.')} $prefix/{self.one('more.cfg', 'none')}\n", f"fn{self.draw.randrange(3)} {self.word()}\n",
            f"true; set {name}=7\n", f'eval "set {name}=$a; {self.name()}=\\$? "\n', f"eval set {name}={self.word()}\n",
            f"{self.condition()}\n", "setparams q w\n", "# comment\n", "echo hello # x\n", f"set {name}=a\\\nb\n",
            f'set default={self.one(self.value(), f"${name}")}\n', f"if {self.condition()}; then set {name}=1; else set {name}=2; fi\n",
        )  # fmt: skip

    def choice(self, depth: int) -> str:
        text = f"if {self.condition()}; then\n{self.some(depth + 1)}"
        text += self.one("", f"elif {self.condition()} ; then\n{self.some(depth + 1)}")
        return text + self.one("", f"else\n{self.some(depth + 1)}") + "fi\n"

    def loop(self, depth: int) -> str:
        inner = self.some(depth + 1) + self.one("", "", "break\n", f"if {self.condition()}; then continue; fi\n")
        counted = f'while [ "${{w}}" != 111 ]; do set w=1$w; {self.one("true", "break")}\ndone\n'
        return self.one(counted, f"for {self.name()} in {self.word()} {self.word()} 1; do\n{inner}done\n")

    def function(self, depth: int) -> str:
        last = ("return 1\n", "shift\nset a=$1\n", "set a=$1\n", "set default=$1\n", 'set b="$#$*"\n', "for c in $@; do true; done\n")
        end = self.one("", *last)
        name = f"fn{self.draw.randrange(3)}"
        return f"function {name} {{\n{self.some(depth + 2)}{end}}}\n" if not depth else f"{name} {self.word()} {self.word()}\n"

    def entries(self, depth: int) -> str:
        text = ""
        for _ in range(self.draw.randrange(1, 4)):
            text += self.statement(3) if self.draw.random() < 0.3 else ""
            entry = self.submenu(depth) if depth < 3 and self.draw.random() < 0.25 else self.entry()
            text += f"if {self.condition()}; then\n{entry}fi\n" if self.draw.random() < 0.2 else entry
        return text

    def head(self) -> str:
        self.number += 1
        number = self.draw.randrange(1, 5)
        names = (f"--id id{number}", f"--id=id{number}", f"$menuentry_id_option 'id{number}'", "--id 5ab", "--class os")
        return f"'{self.one(*TITLES, f'E{self.number}')}' {self.one('', '', '', 'p1 ' + chr(39) + 'p 2' + chr(39))} {self.one('', *names)}"

    def entry(self) -> str:
        head, mark = self.head(), f"N{self.number}"
        words = " ".join([*(self.word() for _ in range(self.draw.randrange(4))), self.one("", '"$1" $2 "$#"')])
        before = self.some(9) if self.draw.random() < 0.4 else ""
        return f"menuentry {head} {{\n{before}\tlinux /vmlinuz mark={mark} {words}\n\techo CHOSEN mark={mark} {words} END\n\texit\n}}\n"

    def submenu(self, depth: int) -> str:
        head = self.head()
        return f"submenu {head} {{\n{self.entries(depth + 1)}}}\n"

    def block_of_variables(self) -> str:
        lines = [f"{self.name()}={self.one(*VALUES, chr(92) * 2 + 'n', 'a' + chr(92) + 'b', '#x')}" for _ in range(self.draw.randrange(5))]
        return "\n".join(["# GRUB Environment Block", *lines, ""]).ljust(self.draw.choice((1024, 1024, 1024, 600)), "#")


def started(folder: Path, files: dict[str, str]) -> str:
    """The arguments of the entry that GRUB starts; empty when it starts none, or waits for a key."""
    found = re.search(r"CHOSEN (.*?) *END", printed(folder, files))
    return " ".join(found[1].split()) if found else ""


def printed(folder: Path, files: dict[str, str], disk: Path | None = None) -> str:
    """All that GRUB prints, without ends of lines; ``disk`` is the image that it calls hd0."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    command = ["timeout", "4", "grub-emu", "-r", "host", "-d", str(folder)]
    if disk:
        (folder / "device.map").write_text(f"(hd0) {disk}\n")
        command += ["-m", str(folder / "device.map")]
    environment = {**os.environ, "TERM": "dumb"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    return _ESCAPES.sub("", done.stdout.decode("utf-8", "replace")).replace("\r", "").replace("\n", "")


_WORDS = (
    "a", "", "b", "1", "2", "10", "07", "08", "0x10", "-3", "+4", " 5", " -3", "- 3", "x12", "x9", "x012", "vmlinuz-2", "vmlinuz-11", "12",
    "13", "4294967296", "2147483648", "-2147483649", "99999999999999999999",
)  # fmt: skip
_SIGNS = ("!", "(", ")", "-a", "-o", "-n", "-z")
_OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-pgt", "-plt")


def expression(draw: random.Random) -> list[str]:
    """Random words for ``test``."""
    found: list[str] = []
    for _ in range(draw.randrange(6)):
        sort = draw.random()
        if sort < 0.4:
            found += [draw.choice(_WORDS), draw.choice(_OPERATORS), draw.choice(_WORDS)]
        elif sort < 0.55:
            found += [draw.choice(("-n", "-z")), draw.choice(_WORDS)]
        else:
            found.append(draw.choice((*_WORDS, *_SIGNS, *_SIGNS)))
    return found


def answers(folder: Path, tests: list[str], disk: Path | None = None) -> list[bool]:
    """What GRUB makes of the words between ``[`` and ``]``."""
    text = "".join(f"if [ {test} ]; then echo -n T; else echo -n F; fi\n" for test in tests)
    found = printed(folder, {"grub.cfg": f"echo -n BEGIN\n{text}\necho END\nexit\n"}, disk)
    return [letter == "T" for letter in found.partition("BEGIN")[2].partition("END")[0] if letter in "TF"]
