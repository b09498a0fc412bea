"""Domains of a real libvirt: its test driver on a node of our own, through virsh and through the Python binding."""

from __future__ import annotations

import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from v2vlint.model.errors import UsageError
from v2vlint.source import live
from v2vlint.source.expand import expand
from v2vlint.source.live import Live, live_domain

pytestmark = pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is not installed")

NODE = """<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<domain type='test'><name>web 1</name>
 <uuid>6582eb30-2df9-4b83-bcce-404aafa305e5</uuid><memory>8192</memory><os><type>hvm</type></os>
 <devices><disk type='volume' device='disk'><source pool='images' volume='web.qcow2'/><target dev='vda'/></disk></devices>
 <test:runstate>5</test:runstate>
 <test:domainsnapshot><name>before</name><creationTime>1700000000</creationTime>
 <state>shutoff</state><active>1</active><domain type='test'><name>web 1</name><memory>8192</memory>
  <os><type>hvm</type></os></domain></test:domainsnapshot></domain>
<domain type='test'><name>db</name><uuid>ce84f646-c0d4-488b-9948-a123dd2202cf</uuid><memory>8192</memory><os><type>hvm</type></os></domain>
<pool type='dir'><name>images</name><target><path>/images</path></target>
 <volume type='file'><name>web.qcow2</name><capacity unit='MiB'>1</capacity></volume></pool>
</node>"""
BINDING = """
import sys
sys.path.append("/usr/lib/python3/dist-packages")
from v2vlint.source import live
assert live._binding() is not None
try:
    print(live.live_domain(sys.argv[1], sys.argv[2]))
except live.UsageError as error:
    print(error.message)
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A connection to a node with a domain that is off and one that runs."""
    path = tmp_path / "node.xml"
    path.write_text(NODE)
    return f"test://{path}"


def test_a_domain_that_is_off(uri: str) -> None:
    found = live_domain("web 1", uri)
    assert "<source pool='images' volume='web.qcow2'/>" in found.xml
    assert (found.state, found.snapshots, found.volumes) == ("", ("before",), (("vda", "/images/web.qcow2"),))


def test_a_domain_that_runs(uri: str) -> None:
    (ref,) = expand(["domain:db"], uri)
    assert (ref.name, ref.kind, ref.paths, ref.state, ref.volumes) == ("domain:db", "libvirt", (), "running", ())


def test_what_libvirt_refuses(uri: str) -> None:
    with pytest.raises(UsageError, match="domain:gone: failed to get domain 'gone'"):
        live_domain("gone", uri)
    with pytest.raises(UsageError, match=r"domain:web 1: .*no-such-file") as caught:
        live_domain("web 1", "test:///no-such-file")
    assert "--connect" in caught.value.hint


def test_without_virsh(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="domain:db: neither virsh nor libvirt's Python binding is installed"):
        live_domain("db", uri)


def bound(name: str, uri: str) -> str:
    done = subprocess.run([sys.executable, "-c", BINDING, name, uri], capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr or "AssertionError" in done.stderr:
        pytest.skip("libvirt's Python binding is not installed for this Python")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Refusal(Exception):
    """What a driver of libvirt without snapshots answers."""


def test_what_a_driver_does_not_have_is_not_there() -> None:
    """Bhyve, LXC and others answer with an error where there is no such thing as a snapshot."""

    def refuse() -> object:
        raise Refusal("this function is not supported by the connection driver")

    library = types.SimpleNamespace(libvirtError=Refusal)
    assert live._told(library, refuse, ()) == ()
    assert live._told(library, lambda: ["before"], ()) == ["before"]


def test_the_binding_says_the_same(uri: str) -> None:
    for name in ("web 1", "db"):
        by_virsh = live_domain(name, uri)
        same = Live(by_virsh.xml.rstrip("\n") + "\n", by_virsh.state, by_virsh.snapshots, by_virsh.volumes)
        assert bound(name, uri) == repr(same)
    assert bound("gone", uri).startswith("domain:gone: Domain not found")
