"""Every format that describes a guest says which files were opened, with their hashes, and that its repair can be undone."""

from __future__ import annotations

import dataclasses

import pytest

from tests.report import reports
from v2vlint.model.report import EarlierProof
from v2vlint.model.source import HostFileInfo
from v2vlint.report.registry import renderer

FILES = (HostFileInfo("/vm/web.qcow2", 4096, "a" * 64, "a" * 64),)
ALL = ("text", "json", "sarif", "junit", "github", "html", "markdown")


@pytest.mark.parametrize("name", ALL)
def test_hashes_are_in_every_format_that_describes_a_guest(name: str) -> None:
    report = reports.rich()
    report = dataclasses.replace(report, images=tuple(dataclasses.replace(image, files=FILES) for image in report.images))
    text = renderer(name)(report)
    assert "/vm/web.qcow2" in text.replace("\\/", "/")
    assert "a" * 64 in text


@pytest.mark.parametrize("name", ["text", "json", "sarif", "junit", "html", "markdown"])
def test_an_earlier_proof_is_in_every_format_that_describes_a_guest(name: str) -> None:
    report = reports.rich()
    proof = EarlierProof("kvm", False, "it stopped \x1b[31min the initramfs", "by UEFI", 1_764_444_000.0, False)
    report = dataclasses.replace(report, images=tuple(dataclasses.replace(image, proofs=(proof,)) for image in report.images))
    text = " ".join(renderer(name)(report).split())
    assert "in the initramfs" in text
    assert "2025-11-29" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["text", "sarif", "junit", "github", "gitlab", "html", "markdown"])
def test_every_format_says_that_a_repair_can_be_undone(name: str) -> None:
    assert "can be undone" in " ".join(renderer(name)(reports.rich()).split())
