"""Build real bootable Debian guests: ``sample-guests/debian.py --suite trixie --firmware uefi --fs btrfs``; prints the image's path.

``--list`` prints the path without building. Every option is a field of :class:`guestbuild.debian.Spec`, which see.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import typing

from guestbuild.debian import BuildError, Spec, build, image_path


def main() -> int:
    """Build one guest from command line options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print where the image is (or would be), build nothing")
    hints = typing.get_type_hints(Spec)
    for field in dataclasses.fields(Spec):
        flag = f"--{field.name.replace('_', '-')}"
        if hints[field.name] is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        elif hints[field.name] == tuple[str, ...]:
            parser.add_argument(flag, action="append", default=[])
        else:
            parser.add_argument(flag, default=field.default, choices=typing.get_args(hints[field.name]) or None)
    options = vars(parser.parse_args())
    only_list = options.pop("list")
    spec = Spec(**{**options, "blacklist": tuple(options["blacklist"])})
    try:
        print(image_path(spec) if only_list else build(spec, verbose=True))
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
