"""What systemd 252 loads and starts after all, and what looks much like it: each was asked of ``systemd-analyze verify``."""

from __future__ import annotations

import pytest

from tests.facts.boot.test_boot_end import ETC, STARTS, SYSTEMD, VENDOR, WHOLE, asked
from tests.facts.guests import Files, fact
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.model.rule import Link


def said(files: Files) -> str:
    """What the guest's boot ends in instead."""
    return fact(BootEnd, {**SYSTEMD, **WHOLE, **files}).shell


def required(by: str, unit: str, text: str) -> Files:
    """A unit that ``by`` requires by a link."""
    return {f"{ETC}/{unit}": text, f"{ETC}/{by}.requires/{unit}": Link(f"../{unit}")}


TARGETS: Files = {
    f"{VENDOR}/basic.target": "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n",
    f"{VENDOR}/multi-user.target": "[Unit]\nRequires=basic.target\nAfter=basic.target\n",
}


@pytest.mark.parametrize("early", ["basic", "sysinit"])
@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("a.service", STARTS),
        ("a.socket", "[Socket]\nListenStream=99\n"),
        ("a.timer", "[Timer]\nOnBootSec=1\n"),
        ("a.path", "[Path]\nPathExists=/x\n"),
    ],
)
def test_an_early_target_that_requires_what_starts_after_it_by_default(early: str, unit: str, text: str) -> None:
    """It does not wait for that, unless the unit says so."""
    assert said({**TARGETS, **required(f"{early}.target", unit, text)}) == ""
    assert "each other" in said({**TARGETS, **required("sysinit.target", unit, f"[Unit]\nBefore=sysinit.target\n{text}")})


def test_targets_between_have_no_such_default() -> None:
    between = required("basic.target", "x.target", "[Unit]\nRequires=a.service\n")
    assert "each other" in said({**TARGETS, **between, f"{ETC}/a.service": STARTS})


@pytest.mark.parametrize(("ring", "waits"), [("xy", False), ("xyz", True)])
def test_targets_that_require_each_other(ring: str, waits: bool) -> None:
    """Two do not wait for each other: the second to be loaded finds that the first does."""
    following = zip(ring, ring[1:] + ring[0], strict=True)
    files: Files = {f"{ETC}/{one}.target": f"[Unit]\nRequires={other}.target\n" for one, other in following}
    assert ("each other" in said({**TARGETS, **files, **asked("x.target")})) is waits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[Service]\nSuccessAction=reboot\n", "has no ExecStart="),
        ("[Unit]\nSuccessAction=reboot\nSuccessAction=\n", ""),
        ("[Unit]\nSuccessAction=reboot\nSuccessAction=none\n", "has no ExecStart="),
        ("[Unit]\nSuccessAction=reboot\n[Service]\nType=simple\n", "has no ExecStart="),
        *((f"[Service]\nType=oneshot\nType={last}\nExecStart=/a\nExecStart=/b\n", "") for last in ("", "bogus")),
        ("[Service]\nType=oneshot\nType=simple\nExecStart=/a\nExecStart=/b\n", "several ExecStart="),
        *((f"[Service]\nExecStop=/a\nRemainAfterExit=yes\nRemainAfterExit={last}\n", "") for last in ("", "what")),
        ("[Service]\nExecStop=/a\nRemainAfterExit=yes\nRemainAfterExit=no\n", "has no ExecStart="),
        ("[Service]\nBusName=a.b\nBusName=\nType=dbus\nExecStart=/a\n", ""),
        (f"\ufeff{STARTS}", ""),
        (f"x\n\ufeff{STARTS}", "has no ExecStart="),
    ],
)
def test_values_that_are_passed_over(text: str, why: str) -> None:
    found = said({**asked("a.service"), f"{ETC}/a.service": text})
    assert why in found
    assert bool(found) is bool(why)


@pytest.mark.parametrize("where", ["/x/../x", "/y/../y", "y", "/y\nWhere=", "/x\nWhere=y"])
def test_a_mount_point_that_is_passed_over(where: str) -> None:
    assert said({**asked("x.mount"), f"{ETC}/x.mount": f"[Mount]\nWhat=tmpfs\nWhere={where}\n"}) == ""


@pytest.mark.parametrize(
    ("end", "text"),
    [(name, f"[Unit]\nDefaultDependencies=no\nSuccessAction={name}-force\n") for name in ("poweroff", "reboot", "halt", "kexec", "exit")],
)
def test_stock_units_that_only_have_an_action(end: str, text: str) -> None:
    """As in Debian 12: a default that ends the machine is said to do so."""
    target = f"[Unit]\nDefaultDependencies=no\nRequires=systemd-{end}.service\nAfter=systemd-{end}.service\n"
    stock: Files = {f"{VENDOR}/{end}.target": target, f"{VENDOR}/systemd-{end}.service": text}
    found = fact(BootEnd, {**SYSTEMD, **WHOLE, **stock, f"{ETC}/default.target": Link(f"{VENDOR}/{end}.target")})
    assert found.shell == ""
    assert bool(found.maintenance) is (end in {"poweroff", "reboot", "halt", "kexec"})


@pytest.mark.parametrize(
    ("link", "files", "why"),
    [
        ("/opt/a/real.service", {"/opt/a/real.service": STARTS}, ""),
        ("../../../opt/real.service", {"/opt/real.service": STARTS}, ""),
        ("/opt/a/real.service", {"/opt/a/real.service": "[Service]\n"}, "b.service, which has no ExecStart="),
        ("real.service", {f"{ETC}/real.service": STARTS}, ""),
        (f"{VENDOR}/real.service", {f"{VENDOR}/real.service": "[Unit]\n", f"{ETC}/real.service.d/a.conf": STARTS}, ""),
        ("/opt/real.service", {"/opt/real.service": "[Unit]\n", f"{ETC}/real.service.d/a.conf": STARTS}, "has no ExecStart="),
        ("real.service", {f"{ETC}/real.service": "[Service]\n"}, "has no ExecStart="),
        ("/opt/gone.service", {}, "b.service"),
    ],
)
def test_a_linked_unit_is_loaded_under_its_own_name(link: str, files: Files, why: str) -> None:
    found = said({"/opt/x": "", **asked("b.service"), f"{ETC}/b.service": Link(link), **files})
    assert why in found
    assert bool(found) is bool(why)
