"""Windows driver files: whether the boot loader can load one (PE header, machine, size against the ends of the sections)."""

from __future__ import annotations

from v2vlint.facts.boot.pe import pe_defect, read_pe
from v2vlint.guest.fs import GuestFS

_MACHINES = {"x86_64": "x64", "i386": "ia32", "i686": "ia32", "aarch64": "aa64"}
_TITLES = {"x64": "x86-64", "ia32": "32-bit x86", "aa64": "ARM64", "arm": "ARM"}


def driver_problem(fs: GuestFS, path: str, arch: str) -> str:
    """Why a Windows for ``arch`` cannot load the driver at ``path``, as text; empty when nothing is wrong.

    FactUnavailable when the file cannot be read. The signature is not verified.
    """
    stream = fs.open(path)
    if stream is None:
        return "does not exist"
    defect = pe_defect(stream)
    stream.seek(0)
    image = read_pe(stream) if "header" not in defect else None
    if image is None:
        return f"is not a driver: it {defect}"
    wanted = _MACHINES.get(arch, "")
    if wanted and image.machine != wanted:
        return f"is for {_TITLES.get(image.machine, 'another machine')}, and this Windows is {_TITLES[wanted]}"
    return defect
