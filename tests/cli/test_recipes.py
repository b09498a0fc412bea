"""A finding lands on the line of the repository that wrote it, in every report that annotates."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run

KICKSTART = "part / --fstype=ext4\n%post\ncat > /etc/fstab <<EOF\n/dev/sda /srv ext4 errors=remount-ro 0 1\nEOF\n%end\n"


def test_annotations_land_on_the_line_of_the_recipe(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    (tmp_path / "ks").mkdir()
    (tmp_path / "ks" / "web.ks").write_text(KICKSTART)
    (tmp_path / "v2vlint.toml").write_text('[[recipes]]\nimage = "bad*"\nfiles = ["ks/web.ks"]\n')
    reports = [word for name in ("sarif", "gitlab", "json", "text") for word in ("--report", f"{name}=out.{name}")]
    done = v2vlint("--select", "fstab-device-name", "--format", "github", *reports, str(images / "bad.qcow2"))
    assert "::error file=ks/web.ks,line=4," in done.stdout
    (result,) = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == ("ks/web.ks", {"startLine": 4})
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("bad.qcow2/etc/fstab")
    (issue,) = json.loads((tmp_path / "out.gitlab").read_text())
    assert issue["location"] == {"path": "ks/web.ks", "lines": {"begin": 4}}
    image = json.loads((tmp_path / "out.json").read_text())["images"][0]
    (result,) = [one for one in image["roots"][0]["targets"][0]["results"] if one["findings"]]
    assert (image["recipe"], result["findings"][0]["written"]) == ("ks/web.ks", {"path": "ks/web.ks", "line": 4})
    assert "written by ks/web.ks:4" in (tmp_path / "out.text").read_text()


def test_the_settings_in_force_name_the_recipes(v2vlint: Run, tmp_path: Path) -> None:
    (tmp_path / "web.ks").write_text(KICKSTART)
    (tmp_path / "v2vlint.toml").write_text('[[recipes]]\nimage = "bad*"\nfiles = ["web.ks"]\n')
    first = v2vlint("check", "--print-config")
    assert '[[recipes]]\nimage = "bad*"\nfiles = ["web.ks"]\n' in first.stdout
    (tmp_path / "again.toml").write_text(first.stdout)
    assert v2vlint("check", "--print-config", "--config", "again.toml").stdout.split("\n")[1:] == first.stdout.split("\n")[1:]
