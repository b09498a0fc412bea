"""What MkDocs is told besides mkdocs.yml: pages that lie above docs/, and every rule's page in the navigation of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ABOVE = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Any, config: Any) -> Any:
    """Pages of the repository's top folder belong to the site, too; the rules' pages are reached from their index."""
    from mkdocs.structure.files import File, InclusionLevel

    for name in ABOVE:
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    for file in files.documentation_pages():
        if file.src_uri.startswith("rules/") and not file.src_uri.endswith("README.md"):
            file.inclusion = InclusionLevel.NOT_IN_NAV
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links between the two folders, as they are on the site."""
    if page.file.src_uri in ABOVE:
        return markdown.replace("](docs/", "](").replace("](README.md", "](index.md")
    return markdown.replace("](../SECURITY.md", "](SECURITY.md").replace("](../CONTRIBUTING.md", "](CONTRIBUTING.md")
