"""``mdadm.conf`` on the root filesystem; see :mod:`v2vlint.guest.mdadm_conf`."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.mdadm_conf import MdadmConf, MdArray, mdadm_conf_from, read_mdadm_conf

__all__ = ["MdArray", "MdadmConf", "mdadm_conf_from", "parse_mdadm_conf"]


@provides
def parse_mdadm_conf(fs: GuestFS) -> MdadmConf:
    """mdadm.conf and its drop-ins. Missing files count as empty."""
    return read_mdadm_conf(fs)
