"""Keep a guest's secrets inside the process that reads it: mask them in reports, diffs and excerpts.

The same functions are applied to every answer that leaves the child and to console output. A secret is recognised by the key before it
(``password=``, ``psk =``, ``<Password>``), by its own form (password hashes, private keys, tokens) or by the file it is in.
"""

from __future__ import annotations

import base64
import functools
import re
from typing import Any

from v2vlint.model.plain import JsonObject

MASK = "(hidden)"
_WORD_SIZE = 40

_WORD = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|psk|pre-?shared-?key|private-?key|api[_-]?key|access[_-]?key|wep[_-]?key\d?|credentials?)"
)
_QUOTED = r"\"[^\"\n]*\"|'[^'\n]*'"
# Up to a space; in a list of options, up to the next comma.
_BARE = r"[^\s,;\"'<>]+(?:,(?![\w.-]+(?:[=,\s]|$))[^\s,;\"'<>]*)*"
# Values that are not secrets: switches, paths, lookup directives.
_HARMLESS = re.compile(
    r"(?i)[\"']?(?:|yes|no|true|false|on|off|none|null|0|1|x|\*+|!+|\||>|files|compat|systemd|sss|ldap|nis|db|winbind|required|optional|sufficient"
    r"|requisite|include|ask|auto|never|always|/[\w./-]*|%\w+%|\$\{?\w+\}?)[\"']?"
)
# Texts without any of these, which most are, are not searched for the forms below.
_HINTS = re.compile(
    r"(?i)pass|pwd|secret|token|psk|key|cred|\$\w{1,8}\$|pbkdf2|://|-----|value>|auth|eyJ|AKIA|ASIA|gh\w_|glpat|xox"
    r"|:[^:\n]{13,}:\d*:|^[+ -]*-\s+[\"']?[\w.-]+:\S",
    re.MULTILINE,
)
# A line of a private key whose BEGIN is not in the text.
_KEY_LINE = re.compile(r"(?m)^[+\- ]?[^\S\n]*[A-Za-z0-9+/]{40,}={0,2}\s*$")
_EDGE = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY-----")
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)(.*?)(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# Password hashes of GRUB legacy; ifupdown's keys.
_BY_BLANK = (
    r"(?m)^([+\- ]?[^\S\n]*(?:password(?:_pbkdf2\s+\S+|\s+--\w+)?|wpa-(?:psk|password\S*|private-key-passwd\S*)|wireless-key\d?)\s+)"
    r"(?!(?:yes|no)$)\S.*$"
)
# cloud-init's chpasswd: a list of user:password.
_IN_A_LIST = r"^([+\- ]?[^\S\n]*-\s+[\"']?[\w.-]+:)"
_FORMS = (
    (re.compile(r"\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|md5|apr1|argon2\w*|pbkdf2[\w-]*|scrypt)\$[^\s:'\"<>]+"), MASK),  # crypt(5)
    (re.compile(r"grub\.pbkdf2\.[\w.]+"), MASK),
    (re.compile(r"([A-Za-z_][\w.-]*\$?:)[^:\s]{13,}(:\d*:\d*:)"), rf"\g<1>{MASK}\g<2>"),  # a line of shadow(5)
    (re.compile(r"(\b[a-z][\w+.-]*://[^\s/:@]*:)[^\s/@]+(@)"), rf"\g<1>{MASK}\g<2>"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),  # a JSON Web Token: eyJ is {" in base64
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}"), MASK),
    (re.compile(r"(?i)(authorization\s*[:=]\s*\"?(?:basic|bearer|token)\s+)[^\s\"']+"), rf"\g<1>{MASK}"),
    (re.compile(r"(?is)(<(?:\w+:)?(?:\w*password|value|passphrase|productkey|secret)\b[^>]*>)([^<]+)(</)"), rf"\g<1>{MASK}\g<3>"),
    (re.compile(rf"(?i)(\bkey=\"[^\"]*{_WORD}[^\"]*\"[^>]*?\bvalue=\")[^\"]*"), rf"\g<1>{MASK}"),
    (re.compile(_BY_BLANK), rf"\g<1>{MASK}"),
    (re.compile(rf"(?m){_IN_A_LIST}(?!\d+[\"']?$)[^\s:/\"']{{6,}}[\"']?$"), rf"\g<1>{MASK}"),
)
_PAIR = re.compile(rf"(?i)([\w.-]*{_WORD}[\w.-]*[\"']?\s*[:=]\s*)({_QUOTED}|{_BARE})")
_FILES = re.compile(
    r"/etc/(?:g?shadow-?|ppp/(?:chap|pap)-secrets|ipsec\.secrets|krb5\.keytab|ssl/private/.*|ssh/ssh_host_\w+_key|wireguard/.*|cups/ssl/.*)"
    r"|/var/(?:lib/(?:cloud/instances?/.*|tailscale/.*|waagent/.*|amazon/ssm/.*|sss/.*|NetworkManager/secret_key)|crash/.*|spool/mail/.*|mail/.*)"
    r"|/etc/(?:salt/pki/.*|chef/\w+\.pem|pki/(?:consumer|entitlement)/.*|(?:passwd|group)-)|/root/(?:anaconda|original|initial-setup)-ks\.cfg"
    r"|.*/\.(?:\w+_history|history|zhistory|viminfo|git-credentials|my\.cnf|vault-token|npmrc|pypirc)|.*/(?:un|autoun)attend[\w-]*\.xml"
    r"|.*/(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.htpasswd|\.docker/config\.json|\.aws/credentials|[^/]*\.(?:key|p12|pfx|jks|kdbx|keytab))"
)


_MASKED = {"$": "RegistryData", "type": 1, "data": base64.b64encode(f"{MASK}\0".encode("utf-16-le")).decode()}
# Names of files that the operator gave, by which the guest is found again.
_OF_THE_OPERATOR = ("name", "paths", "recipe", "written")


def hidden(text: str) -> str:
    """``text`` with every secret replaced by MASK. Masking is idempotent."""
    if not _HINTS.search(text):
        return text
    text = _PEM.sub(lambda match: f"{match[1]}{MASK}{match[3]}", text)
    for pattern, instead in _FORMS:
        text = pattern.sub(instead, text)
    return _PAIR.sub(_pair, text)


@functools.cache
def _hidden_word(text: str) -> str:
    """:func:`hidden` for names, of which every report is full: ids of rules, kinds, outcomes."""
    return hidden(text)


def _pair(match: re.Match[str]) -> str:
    value = match[2]
    if _HARMLESS.fullmatch(value) or MASK in value:
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match[1]}{quote}{MASK}{quote}"


def is_secret(path: str) -> bool:
    """Whether the whole content of a guest file is secret."""
    return _FILES.fullmatch(path) is not None


def hidden_lines(path: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Mask lines of the guest file ``path``, including those of a private key whose BEGIN or END is outside the lines."""
    if is_secret(path):
        return (MASK,) * len(lines)
    ends = [match[1] for line in lines if (match := _EDGE.search(line))]
    inside, shown = ends[:1] == ["END"], []
    for line in lines:
        edge = _EDGE.search(line)
        shown.append(MASK if inside and not edge else hidden(_KEY_LINE.sub(MASK, line)))
        inside = edge[1] == "BEGIN" if edge else inside
    return tuple(shown)


def hidden_diff(diff: str) -> str:
    """Mask a unified diff: secret files entirely, and lines of private keys whose BEGIN is outside the diff."""
    path, lines = "", []
    for line in diff.split("\n"):
        if line.startswith(("--- ", "+++ ")):
            path = line[4:].split("\t")[0]
        elif is_secret(path) and line[:1] in ("+", "-", " ") and line[1:]:
            line = line[0] + MASK
        lines.append(_KEY_LINE.sub(f" {MASK}", line) if line.startswith(" ") else line)
    return hidden("\n".join(lines))


def without_secrets(data: Any, files: tuple[str, ...] = ()) -> Any:
    """JSON-ready data with secrets masked in every text: excerpts by line, diffs by file.

    A problem may begin with the name of a file in ``files``, which the operator gave: ``tokens.vmdk: permission denied`` is no secret.
    """
    if isinstance(data, str):
        return _hidden_word(data) if len(data) <= _WORD_SIZE else hidden(data)
    if isinstance(data, list):
        return [without_secrets(item, files) for item in data]
    return _record(data, files) if isinstance(data, dict) else data


def _record(data: JsonObject, files: tuple[str, ...]) -> JsonObject:
    kept: tuple[str, ...] = ()
    match data.get("$"):
        case "Excerpt":
            return {**data, "path": hidden(data["path"]), "lines": list(hidden_lines(data["path"], tuple(data["lines"])))}
        case "RegistrySet" if re.search(_WORD, str(data.get("name", "")), re.IGNORECASE):
            rest = {key: without_secrets(item) for key, item in data.items()}
            return {**rest, "value": _MASKED, "expect": data["expect"] and _MASKED}
        case "RegistryData":
            return {**data, "data": _hidden_value(data["data"])}
        case "Problem":
            front = next((f"{file}: " for file in files if data["reason"].startswith(f"{file}: ")), "")
            rest = {key: without_secrets(item) for key, item in data.items()}
            return {**rest, "reason": front + hidden(data["reason"][len(front) :])}
        case "ImageReport" | "Machine":
            kept, files = _OF_THE_OPERATOR, (data["name"], *data.get("paths", ()))
    return {
        key: item if key in kept else hidden_diff(item) if key == "diff" else without_secrets(item, files) for key, item in data.items()
    }


def _hidden_value(encoded: str) -> str:
    """A base64-encoded registry value with secrets masked; its texts are UTF-16."""
    try:
        text = base64.b64decode(encoded).decode("utf-16-le")
    except ValueError:
        return encoded
    return base64.b64encode(hidden(text).encode("utf-16-le", "surrogatepass")).decode() if hidden(text) != text else encoded
