"""All that a rule pack may import: the rule base class, places, findings, fixes, the target, and every fact."""

from __future__ import annotations

from v2vlint.facts.fstab import Fstab, FstabEntry
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.blocks import BlockDevice, BlockTable, kernel_position
from v2vlint.model.errors import FactUnavailable, NotApplicable
from v2vlint.model.finding import Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.fix import (
    AppendInitramfs,
    Applicability,
    CopyFile,
    Delete,
    Edit,
    Fix,
    Rebuild,
    ReplaceText,
    WriteFile,
)
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, Sourced, Span, Token, Where, WholeFile
from v2vlint.model.rule import Audience, Example, Link, Rule
from v2vlint.model.target import Controller, Display, Nic, Target

__all__ = [
    "AppendInitramfs",
    "Applicability",
    "Audience",
    "BlockDevice",
    "BlockTable",
    "Controller",
    "CopyFile",
    "Delete",
    "Device",
    "Display",
    "Edit",
    "Example",
    "FactUnavailable",
    "Finding",
    "Fix",
    "Fstab",
    "FstabEntry",
    "GuestFS",
    "GuestText",
    "Line",
    "Link",
    "Mover",
    "Nic",
    "NotApplicable",
    "OsInfo",
    "Rebuild",
    "ReplaceText",
    "Rule",
    "Severity",
    "Sourced",
    "Span",
    "Stage",
    "Target",
    "Token",
    "Unknown",
    "Where",
    "WholeFile",
    "WriteFile",
    "kernel_position",
    "provides",
]
