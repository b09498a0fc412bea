"""The fallback loader that virt-v2v copies to the ESP of three distributions: ``convert/convert_linux.ml``, ``remap_block_devices``."""

from __future__ import annotations

from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.registry import FactStore, provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo

_REPAIRED = (("debian", 12), ("ubuntu", 14), ("centos", 6))


@dataclass(frozen=True, slots=True)
class ConvertedLoader:
    """``fallback``: a loader is copied to the fallback path (for Windows: ``convert/convert_windows.ml``, ``fix_win_esp``)."""

    fallback: bool = False


@provides
def find_converted_loader(refusals: Refusals, os: OsInfo, store: FactStore) -> ConvertedLoader:
    """Only for x86 guests whose ESP is at /boot/efi and contains all the programs to be copied."""
    if not refusals.converts:
        return ConvertedLoader()
    if os.kind == "windows":
        return ConvertedLoader(True)
    if (os.distro, os.major) not in _REPAIRED or os.arch not in ("x86_64", "i386"):
        return ConvertedLoader()
    efi = store.get(Efi)
    kinds = {image.kind for image in efi.images}
    # CentOS 6 boots GRUB legacy directly, without shim.
    wanted = {"grub"} if os.distro == "centos" else {"grub", "shim"}
    return ConvertedLoader(efi.mount == "/boot/efi" and wanted <= kinds)
