"""One estate in many places: audited, interrupted and resumed over each protocol, it is judged as it is here.

``V2VLINT_ESTATE=280`` makes it one of 300 guests, of which 20 are broken.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.run.clusters import scheduler, workers
from tests.run.estates import BROKEN, FORMATS, LINK, Audit, build, convert
from tests.source.servers import SMB_LOGIN, object_store, samba, secure_shell, sshd, web
from tests.source.simulator import flat, govmomi, power_off, simulated

USUAL = 24
GOOD = int(os.environ.get("V2VLINT_ESTATE", USUAL))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * max(1, GOOD // USUAL))]
EARLY = GOOD // 6
"""How many guests have ended when a run is interrupted."""
RULES = ("--select", "fstab-*", "--select", "no-*", "-t", "kvm")


@pytest.fixture(scope="module")
def estate(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few dozen guests."""
    masters = tmp_path_factory.mktemp("masters")
    each = [convert(image, kind, masters / f"disk.{end}") for kind, end in FORMATS.items()]
    return build(tmp_path_factory.mktemp("estate"), each, GOOD, max(BROKEN, GOOD // 14))


@pytest.fixture(scope="module")
def here(estate: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Its roll-up, without an interrupt and without a server."""
    audit = Audit(tmp_path_factory.mktemp("here"), str(estate), *RULES, "-j", "2")
    done = audit.finish()
    assert done.returncode == 1, done.stderr
    rows = audit.rows(str(estate))
    assert len(judged(rows)) == GOOD
    return rows


def judged(rows: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The rows of guests that could be read."""
    return {name: row for name, row in rows.items() if row["verdict"] != "not-judged"}


def leads_nowhere(name: str) -> bool:
    """Whether this broken guest is a link, of which some servers say nothing."""
    return int(re.findall(r"broken(\d+)", name)[0]) % BROKEN == LINK


def is_judged_the_same(audit: Audit, place: str, here: Mapping[str, dict[str, str]], *, limit: int = EARLY, links: bool = False) -> None:
    """Interrupted and resumed, ``audit`` gives the same roll-up; ``links`` says whether the place has those that lead nowhere."""
    before = audit.interrupt(limit)
    assert before < len(judged(here))
    done = audit.finish()
    assert done.returncode == 1, done.stderr
    rows = audit.rows(place)
    assert judged(rows) == judged(here)
    lost = set(here) - set(rows)
    assert not (lost if links else {name for name in lost if not leads_nowhere(name)})
    assert set(rows) <= set(here)


def test_over_http(estate: Path, here: dict[str, dict[str, str]], tmp_path: Path) -> None:
    with web(estate) as server:
        (tmp_path / "list").write_text("\n".join(f"{server.url}{name}" for name in here))
        is_judged_the_same(Audit(tmp_path / "run", "@../list", *RULES, "-j", "2"), server.url, here, links=True)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_over_s3(estate: Path, here: dict[str, dict[str, str]], tmp_path: Path) -> None:
    pytest.importorskip("s3fs")
    part = "/site1/" if GOOD == USUAL else "/"  # moto takes its time
    mine = {name: row for name, row in here.items() if name.startswith(part)}
    with object_store(estate, "templates") as login:
        audit = Audit(tmp_path / "run", f"s3://templates{part}", *RULES, "-j", "2", environment={**os.environ, **login})
        is_judged_the_same(audit, "s3://templates", mine, limit=EARLY * 3 // 4)


@sshd
def test_over_sftp(estate: Path, here: dict[str, dict[str, str]], tmp_path: Path) -> None:
    with secure_shell(tmp_path) as (login, command):
        place = f"sftp://{login}{estate}"
        audit = Audit(tmp_path / "run", place, *RULES, "-j", "2", environment={**os.environ, "V2VLINT_SSH": command})
        is_judged_the_same(audit, place, here, links=True)


@pytest.mark.skipif(shutil.which("smbd") is None or os.geteuid() != 0, reason="Samba is not installed, or not root")
def test_over_smb(estate: Path, here: dict[str, dict[str, str]], tmp_path: Path) -> None:
    pytest.importorskip("smbclient")
    (tmp_path / "samba").mkdir()
    with samba(tmp_path / "samba", estate) as (port, _server):
        place = f"smb://127.0.0.1:{port}/vms"
        audit = Audit(tmp_path / "run", f"{place}/", *RULES, "-j", "2", environment={**os.environ, **SMB_LOGIN})
        is_judged_the_same(audit, place, here)


def test_over_dask_with_a_worker_that_is_killed(estate: Path, here: dict[str, dict[str, str]], tmp_path: Path) -> None:
    with scheduler(tmp_path) as address, workers(address, tmp_path, "one", "two") as (first, _second):
        audit = Audit(tmp_path / "run", str(estate), *RULES, "--scheduler", address)
        before = audit.interrupt(GOOD // 3, meanwhile=lambda count: first.kill() if count >= 3 else None)
        assert before < GOOD
        assert audit.finish().returncode == 1
    rows = audit.rows(str(estate))
    assert rows == here


@govmomi
def test_over_vsphere(image: Path, tmp_path: Path) -> None:
    """Half of the machines on a host and half in a cluster: two run, three have lost a file or have garbage in its place."""
    pytest.importorskip("pyVmomi")
    flat(image, tmp_path / "disk1.vmdk")
    with simulated(GOOD // 2) as center:
        names = [f"DC0_{place}_VM{at}" for place in ("H0", "C0_RP0") for at in range(GOOD // 2)]
        for at, name in enumerate(names):
            for file in ("disk1.vmdk", "disk1-flat.vmdk"):
                (center.store / name / file).write_bytes((tmp_path / file).read_bytes() if at else b"garbage" * 1000)
        (center.store / names[1] / "disk1-flat.vmdk").unlink()
        (center.store / names[2] / "disk1.vmdk").unlink()
        power_off(center, *names[:-2])
        environment = {**os.environ, "V2VLINT_VSPHERE_PASSWORD": "pass"}
        whole, audit = (
            Audit(tmp_path / run, center.url("DC0/vm/*"), *RULES, "-j", "2", environment=environment) for run in ("whole", "run")
        )
        assert whole.finish().returncode == 1
        assert audit.interrupt(EARLY) < len(names)
        assert audit.finish().returncode == 1
    rows = audit.rows(f"vsphere://{center.server}/DC0/vm/")
    assert rows == whole.rows(f"vsphere://{center.server}/DC0/vm/")
    assert set(rows) == set(names)
    assert {name for name, row in rows.items() if row["verdict"] == "not-judged"} == set(names[:3])
    assert all("running" in rows[name]["reason"] or rows[name]["not checked"] != "0" for name in names[-2:])
