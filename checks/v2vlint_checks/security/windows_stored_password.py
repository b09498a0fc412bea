"""Rule windows-stored-password."""

from collections.abc import Iterator

from v2vlint.api import Audience, Example, Finding, Hive, NotApplicable, Rule, Severity, StoredPasswords

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_ANSWERS = "/Windows/Panther/unattend.xml"
_WINLOGON = "Microsoft\\Windows NT\\CurrentVersion\\Winlogon"
_PLAIN = {_SYSTEM: Hive("[ControlSet001\\Control]\n")}
_PASSWORD = "<AdministratorPassword><Value>{}</Value><PlainText>true</PlainText></AdministratorPassword>\n"


class WindowsStoredPassword(Rule):
    """A password is stored in an answer file, or for an automatic logon.

    ## What it does
    Looks for passwords in unattend.xml, autounattend.xml and sysprep.inf where Setup and Sysprep leave them, and for `DefaultPassword` of
    Winlogon. Values that Setup has replaced with `*SENSITIVE*DATA*DELETED*` are fine. For templates.

    ## Why it matters
    Every user of every copy can read the file, and "encrypted" passwords in it are only base64. There is no fix: an image that is
    not set up yet needs its answer file.

    ## References
    - Microsoft, "Answer files overview", "Hide sensitive data in an answer file"; "Turn on automatic logon"
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_PLAIN, _ANSWERS: _PASSWORD.format("sesame")}, flags=(_ANSWERS,)),
        Example({**_PLAIN, _ANSWERS: _PASSWORD.format("sesame").encode("utf-16")}, flags=(_ANSWERS,), title="in UTF-16"),
        Example(
            {**_PLAIN, _SOFTWARE: Hive(f'[{_WINLOGON}]\n"AutoAdminLogon"="1"\n"DefaultPassword"="sesame"\n')},
            flags=(f"{_SOFTWARE}:{_WINLOGON}:DefaultPassword",),
            title="automatic logon",
        ),
        Example({**_PLAIN, _ANSWERS: _PASSWORD.format("*SENSITIVE*DATA*DELETED*")}, title="used and replaced by Setup"),
        Example({**_PLAIN, _ANSWERS: "<unattend><AutoLogon><Enabled>true</Enabled></AutoLogon></unattend>\n"}),
    )

    def check(self, stored: StoredPasswords) -> Iterator[Finding]:
        if not (stored.answer_files or stored.logon):
            raise NotApplicable("no password is stored")
        for place in stored.answer_files:
            yield self.finding(place, "the answer file holds a password", "every user of every copy can read it")
        if stored.logon is not None:
            yield self.finding(stored.logon, "the password of an automatic logon is stored", "every user of every copy can read it")
