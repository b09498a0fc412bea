"""The HTML page: self-contained and closed, and in a real browser harmless, filterable and fit for a phone."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report import browser
from tests.report.reports import clean, empty, hostile, rich
from v2vlint.model.report import Report
from v2vlint.report.formats import html

REPORTS = pytest.mark.parametrize("report", [rich(), hostile(), clean(), empty()], ids=["rich", "hostile", "clean", "empty"])
in_a_browser = pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed")


class Outline(HTMLParser):
    """The start tags of a page with their attributes, and whether every end tag fits."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@REPORTS
def test_the_page_is_well_formed_and_asks_for_nothing(report: Report) -> None:
    outline = Outline(html.render(report))
    assert outline.open == []
    names = [name for name, _ in outline.tags]
    assert names.count("script") == names.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "audio", "video", "base"} & set(names)
    for name, attributes in outline.tags:
        assert "style" not in attributes
        assert not [key for key in attributes if key.startswith("on")]
        assert not attributes.get("src")
        assert not attributes.get("href") or str(attributes["href"]).startswith("#") or (name, attributes["href"]) == ("link", "data:,")
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_policy_names_style_and_script_by_hash() -> None:
    page = html.render(rich())
    policy = next(attributes["content"] for name, attributes in Outline(page).tags if attributes.get("http-equiv"))
    assert policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_marked_words_are_those_of_the_finding() -> None:
    page = html.render(rich())
    assert "<mark>/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1</mark>  /srv/data" in page
    assert 'ATTR{address}=="<mark>00:50:56:be:17:2a</mark>"' in page


def test_links_lead_somewhere() -> None:
    tags = Outline(html.render(rich())).tags
    ids = {attributes.get("id") for _, attributes in tags}
    links = {str(attributes["href"])[1:] for name, attributes in tags if name in {"a", "use"}}
    assert links <= ids
    assert {"guest-1", "rule-fstab-by-path", "i-fail"} <= links


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize("width", [800, 1400])
def test_a_long_name_takes_no_room_from_the_other_columns(tmp_path: Path, width: int) -> None:
    report = rich()
    images = tuple(dataclasses.replace(image, name=f"{'production-database-server-' * 4}{image.name}") for image in report.images)
    script = """return [...page.querySelectorAll(".matrix tbody tr")].map((row) => [...row.cells].map((cell) => cell.offsetWidth))"""
    rows = browser.run(html.render(dataclasses.replace(report, images=images)), tmp_path, script, width)
    assert len(rows) == len(images)
    assert all(min(widths) > 50 for widths in rows), rows


@in_a_browser
def test_a_hostile_guest_stays_text(tmp_path: Path) -> None:
    document = browser.dump(html.render(hostile()), tmp_path)
    title = re.search(r"<title>(.*?)</title>", document)
    assert title
    assert title[1] == "1 of 1 guest not ready to move, 1 not fully checked · v2vlint"
    assert "<img" not in document
    assert document.count("<script") == 1
    assert not [key for _, attributes in Outline(document).tags for key in attributes if key.startswith("on")]
    assert "4 of 4 shown" in document


@pytest.mark.slow
@in_a_browser
def test_the_filter(tmp_path: Path) -> None:
    script = """
      const shown = () => [page.querySelector("#shown").textContent, visible("[data-item] .rule").map((one) => one.textContent)];
      const steps = {};
      steps.all = shown();
      type(page.querySelector("#search"), "INITRAMFS dracut");
      steps.text = shown();
      steps.sections = visible("h3").map((one) => one.textContent);
      type(page.querySelector("#search"), "no such thing");
      steps.nothing = [shown()[0], visible("#nothing").length];
      page.querySelector("#reset").click();
      page.querySelector("[name=kind][value=error]").click();
      page.querySelector("[name=kind][value=unknown]").click();
      page.querySelector("[name=kind][value=accepted]").click();
      steps.kinds = shown();
      page.querySelector("#reset").click();
      type(page.querySelector("#target"), "1");
      steps.azure = [shown(), visible(".verdict").map((one) => one.textContent.trim())];
      type(page.querySelector("#search"), "dhcp lease");
      steps.opened = shown();
      return steps;
    """
    steps = browser.run(html.render(rich()), tmp_path, script)
    everything = [
        "fstab-by-path",
        "initramfs-root-driver",
        "nic-name-pinned",
        "vmware-tools",
        "xorg-driver-fixed",
        "windows-storage-driver",
    ]
    assert steps["all"] == ["10 of 10 shown", everything]
    assert steps["text"] == ["1 of 10 shown", ["initramfs-root-driver"]]
    assert "Not checked" not in steps["sections"]
    assert steps["nothing"] == ["0 of 10 shown", 1]
    assert steps["kinds"] == ["2 of 10 shown", ["nic-name-pinned", "vmware-tools"]]
    assert steps["azure"][1] == ["may not boot on azure"]
    assert "initramfs-root-driver" not in steps["azure"][0][1]
    assert steps["opened"] == ["1 of 10 shown", ["machine-id-baked-in"]]


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize("width", [320, 375, 768, 1200])
@pytest.mark.parametrize("report", [rich(), hostile()], ids=["rich", "hostile"])
def test_nothing_sticks_out(report: Report, width: int, tmp_path: Path) -> None:
    script = "return [page.documentElement.scrollWidth, visible('.stages .why').length > 0];"
    needed, reasons = browser.run(html.render(report), tmp_path, script, width)
    assert needed <= width
    assert reasons == (width < 736)
