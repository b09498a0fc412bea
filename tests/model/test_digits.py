"""Numbers of any length."""

from __future__ import annotations

import pytest

from tests.facts.guests import fact
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.windows.system import windows_version
from v2vlint.model.digits import MAX, decimal
from v2vlint.model.osinfo import OsInfo


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("", 0), ("007", 7), (str(MAX), MAX), (str(MAX + 1), MAX), ("9" * 5000, MAX), ("0" * 5000 + "12", 12)],
)
def test_numbers(text: str, number: int) -> None:
    assert decimal(text) == number


def test_facts_outlive_thousands_of_digits() -> None:
    many = "9" * 5000
    (entry,) = fact(Fstab, {"/etc/fstab": f"UUID=1 / ext4 defaults 0 {many}\n"}).entries
    assert entry.passno == MAX
    assert windows_version(OsInfo("windows", "windows", "windows", "Windows", f"{many}.²", "x86_64")) == (0, 0)
    assert windows_version(OsInfo("windows", "windows", "windows", "Windows", f"{many}.1", "x86_64")) == (MAX, 1)
