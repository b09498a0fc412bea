"""Markdown: what it shows, and that guest text stays text. Rendered by markdown-it, which rich brings along."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from tests.report.reports import HOSTILE, clean, empty, hostile, rich
from v2vlint.report.escape import visible
from v2vlint.report.formats import markdown


def html_of(text: str) -> str:
    """The document as GitHub would show it: tables, HTML and autolinks allowed."""
    rendered: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return rendered


def test_the_overview_has_a_row_per_guest() -> None:
    rows = [line for line in markdown.render(rich()).splitlines() if line.startswith("| `")]
    assert len(rows) == 4
    assert rows[0].split(" | ")[2:4] == ["✗ does not boot: stops at initramfs", "? may not boot"]
    assert rows[1].split(" | ")[2:4] == ["✓ boots", "–"]
    assert rows[3].startswith("| `old.qcow2` | none found | – | – | 0 errors, 1 not checked")


def test_a_guest_has_forecast_findings_excerpt_and_diff() -> None:
    text = markdown.render(rich())
    assert "| initramfs | ✗ **no virtio_blk in the initramfs: the root disk is never found** | ✓ hv_storvsc" in text
    assert "- Way back on kvm: the rescue entry has every driver" in text
    assert "#### error: /srv/data is mounted from" in text
    assert ">    4 | /dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1  /srv/data" in text
    assert "+UUID=7b1f0d52-6a0e-4d2a-8f5a-c0ffee15900d  /srv/data" in text
    assert "- append virtio_blk, virtio_pci to /boot/initramfs-5.14.0" in text
    assert "`machine-id-baked-in`: the machine id is 4d1e…b7, the same for every copy: excepted: one-off move" in text
    assert "### Not checked" in text


def test_a_clean_guest_and_no_guest() -> None:
    assert "### Findings" not in markdown.render(clean())
    assert "8 checks passed, 0 did not apply." in markdown.render(clean())
    assert "No image was checked." in markdown.render(empty())


@pytest.mark.parametrize(
    "said",
    [
        "plain words, 100 %",
        "*bold* _slanted_ __main__ snake_case ~~gone~~",
        "[link](https://example.org) ![image](x) <b>tag</b> <https://example.org> &amp; &#42;",
        "a | b || c",
        "`code` ``more`` \\`",
        "# heading",
        "- item",
        "1. one",
        "12) two",
        "> quoted",
        "$x$ :smile: :100: 00:50:56:be:17:2a",
        "@someone and user@example.org, #12, GH-7",
        HOSTILE,
    ],
)
def test_guest_text_reads_as_it_is(said: str) -> None:
    rendered = html_of(markdown.text(said))
    plain = re.sub(r"<!-- -->|</?p>\n?", "", rendered)
    assert "<" not in plain
    assert _unescape(plain).strip() == visible(said)


@pytest.mark.parametrize("said", ["a`b", "``", "`", "", "a\nb", "|", HOSTILE])
def test_code_spans_hold_what_they_are_given(said: str) -> None:
    rendered = html_of(f"see {markdown.code(said)} here")
    match = re.fullmatch(r"<p>see <code>(.*)</code> here</p>\n", rendered)
    assert match
    assert _unescape(match[1]).strip() == visible(said).strip()


def test_no_line_ends_a_block() -> None:
    rendered = html_of(markdown.block(["```", "````text", "<script>"]))
    assert rendered == '<pre><code class="language-text">```\n````text\n&lt;script&gt;\n</code></pre>\n'


def test_a_hostile_guest_makes_no_markup() -> None:
    rendered = html_of(markdown.render(hostile()))
    tags = set(re.findall(r"<(/?[a-z][a-z0-9]*)", rendered))
    assert not tags & {"img", "script", "/script", "a", "b"}
    assert rendered.count("<table>") == 2


def _unescape(html: str) -> str:
    for escaped, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        html = html.replace(escaped, char)
    return html
