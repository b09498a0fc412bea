"""The time zone of a Windows, from ``Control\\TimeZoneInformation``, in the form of the TZ variable of POSIX.

That names the guest's own rules (``STD-1DST-2,M3.5.0/2:00,M10.5.0/3:00``), so that neither a table of Windows' names nor a zone database
is needed.
"""

from __future__ import annotations

import struct

from v2vlint.facts.windows.registry import RegistryNode

_DAY = 24 * 60
_NEVER = ("DynamicDaylightTimeDisabled", "DisableAutoDaylightTimeSet")
"""Since Vista, and before: the clock is not set for daylight saving time."""


def posix_zone(clock: RegistryNode | None) -> str:
    """The zone; empty when the key does not say, or has rules that POSIX does not know."""
    bias = clock.number("Bias") if clock else None
    if clock is None or bias is None:
        return ""
    minutes = {name: signed(bias) + signed(clock.number(f"{name}Bias")) for name in ("Standard", "Daylight")}
    if any(abs(offset) > _DAY for offset in minutes.values()):
        return ""
    standard = f"STD{_time(minutes['Standard'])}"
    starts = [_start(clock, f"{name}Start") for name in ("Daylight", "Standard")]
    if None in starts:
        return ""
    if not all(starts) or any(clock.number(name) for name in _NEVER):
        return standard
    return f"{standard}DST{_time(minutes['Daylight'])},{','.join(filter(None, starts))}"


def _start(clock: RegistryNode, name: str) -> str | None:
    """When a part of the year starts (``TIME_FIELDS`` of the NT headers); empty when it never does, None for other rules than POSIX has."""
    value = clock.value(name)
    if value is None or not any(value.data):
        return ""
    if len(value.data) < 16:
        return None
    year, month, week, hour, minute, _second, _millisecond, weekday = struct.unpack_from("<8H", value.data)
    if not month:
        return ""
    # With a year, it is a date. The fifth week is the last, as in POSIX.
    if year or month > 12 or not 1 <= week <= 5 or weekday > 6 or hour > 23 or minute > 59:
        return None
    return f"M{month}.{week}.{weekday}/{hour}:{minute:02d}"


def _time(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else ''}{hours}{f':{rest:02d}' if rest else ''}"


def signed(number: int | None) -> int:
    """A DWORD as a signed number; 0 when there is none. Zones east of Greenwich are negative."""
    return (number or 0) - (1 << 32 if (number or 0) >= 1 << 31 else 0)
