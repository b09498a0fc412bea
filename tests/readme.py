"""The example of real output in the README: ``python -m tests.readme`` makes it anew."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from guestbuild.samples import cached

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- sample output -->\n", "<!-- end of sample output -->\n"
GUEST = "rhel9-vsphere"


def sample_output() -> str:
    """What ``make sample`` shows, without the time it took."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path("build/samples") / f"{GUEST}.qcow2"
        (Path(folder) / image.parent).mkdir(parents=True)
        (Path(folder) / image).symlink_to(cached(GUEST)[0])
        words = [sys.executable, "-m", "v2vlint", "check", "--no-config", str(image)]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return re.sub(r"\d+\.\d s\b", "1.0 s", "\n".join(lines)).rstrip() + "\n"


def parts() -> tuple[str, str, str]:
    """The README before the example, the example, and the README after it."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    example, _, after = rest.partition(END)
    return before, example, after


def block(output: str) -> str:
    """The example as Markdown: the forecast, the first two findings, the closing lines."""
    head, *findings = re.split(r"\n(?=  (?:error|warning|info) )", output)
    closing = output[output.rindex("\n1 image") :]
    return f"```text\n{head}\n{findings[0]}\n{findings[1]}\n  […]\n{closing}```\n"


def main() -> None:
    """Rewrite the README."""
    before, _old, after = parts()
    README.write_text(f"{before}{BEGIN}{block(sample_output())}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
