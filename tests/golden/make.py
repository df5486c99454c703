"""Makes the golden files: see README.md beside this script."""

import argparse
import itertools
from pathlib import Path

import demo
import hub
import meta


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", default="", help="only cases whose name starts with this")
    options = meta.start(parser)
    for case in itertools.chain(meta.cases(), hub.cases()):
        if case.name.startswith(options.only):
            case.write(options.out)
    if "demo".startswith(options.only):
        demo.write(options.out)


if __name__ == "__main__":
    main()
