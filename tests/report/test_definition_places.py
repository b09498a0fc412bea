"""A finding about the machine's definition is reported in that file, not inside the guest."""

from __future__ import annotations

import json

from tests.report.reports import failing, only, span
from v2vlint.engine.present import Presenter
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.place import WholeFile
from v2vlint.report.formats import github, gitlab, sarif
from v2vlint.samples.memory import memory_guest
from v2vlint.source.kinds.vmx import vmx

FINDING = Finding("shared-disk", Severity.WARNING, span("vm/web.vmx", 7, 3), "the disk is shared", "it is not any more")
WHOLE = Finding("firmware-not-as-defined", Severity.WARNING, WholeFile("vm/web.vmx"), "BIOS", "nothing boots")
REPORT = only(failing(FINDING, "f1"), failing(WHOLE, "f2"), image="vm/web.vmx")


def test_github() -> None:
    commands = github.commands(REPORT)
    assert "file=vm/web.vmx,line=7,col=3" in commands
    assert "file=vm/web.vmx,line=1" in commands


def test_gitlab() -> None:
    places = {issue["check_name"]: issue["location"] for issue in json.loads(gitlab.render(REPORT))}
    assert places["shared-disk"] == {"path": "vm/web.vmx", "lines": {"begin": 7}}
    assert places["firmware-not-as-defined"] == {"path": "vm/web.vmx", "lines": {"begin": 1}}


def test_sarif() -> None:
    results = json.loads(sarif.render(REPORT))["runs"][0]["results"]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert uris == ["vm/web.vmx", "vm/web.vmx"]


def test_excerpt_and_fingerprint_do_not_depend_on_the_folder() -> None:
    text = b'displayName = "web"\nvtpm.present = "TRUE"\n'
    guest = memory_guest({"/web.vmx": "of the guest\n"})

    def shown(definition: Definition) -> tuple[str, tuple[str, ...]]:
        report = Presenter("web.vmx").present(Finding("virtual-tpm", Severity.WARNING, definition.at("tpm"), "m", "e"), guest, definition)
        assert report.excerpt is not None
        return report.fingerprint, report.excerpt.lines

    first, second = shown(vmx("a/web.vmx", text)), shown(vmx("/b/web.vmx", text))
    assert first == second
    assert first[1] == ('displayName = "web"', 'vtpm.present = "TRUE"')
