"""The steps of a release; .github/workflows/release.yml runs them when a version is tagged.

python -m tools.release check TAG [--branch origin/main]    tag, package, changelog and repository agree
python -m tools.release notes                               what changed, for the release's page
python -m tools.release build [--out dist]                  wheel and source distribution, twice, the same bytes
python -m tools.release verify [--out dist]                 metadata, installation into an empty environment
python -m tools.release image serve|batch REPOSITORY        build and push, for this machine's architecture
python -m tools.release index serve|batch REPOSITORY        all architectures under one name
python -m tools.release chart REPOSITORY --image REFERENCE  package and push

The last three print the reference of what they pushed, with its digest, and want bertline to be installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bertline.errors import BertlineError
from tools.release import packages, tagged
from tools.release.changelog import sections

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one step; the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        for line in STEPS[chosen.step](root, chosen):
            print(line)
    except BertlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _check(root: Path, chosen: argparse.Namespace) -> list[str]:
    section = tagged.check(root, chosen.tag)
    if chosen.branch:
        tagged.check_branch(root, chosen.branch)
    return [f"{chosen.tag} is version {section.name} of {section.date}"]


def _notes(root: Path, chosen: argparse.Namespace) -> list[str]:
    version = tagged.version_of(root)
    texts = [one.text for one in sections((root / tagged.CHANGELOG).read_text(encoding="utf-8")) if one.name == version]
    return texts or [f"bertline {version}"]


def _build(root: Path, chosen: argparse.Namespace) -> list[str]:
    return [f"{digest}  {name}" for name, digest in packages.build(root, chosen.out).items()]


def _verify(root: Path, chosen: argparse.Namespace) -> list[str]:
    return packages.verify(root, chosen.out)


def _image(root: Path, chosen: argparse.Namespace) -> list[str]:
    from tools.release import images

    bases = {"base": chosen.base or None, "builder": chosen.builder or None}
    options = tuple(chosen.build_option)
    where = {"options": options, "plain_http": chosen.plain_http}
    return [images.build(root, chosen.target, chosen.repository, **bases, **where)]


def _index(root: Path, chosen: argparse.Namespace) -> list[str]:
    from tools.release import images

    where = {"plain_http": chosen.plain_http, "only": chosen.only}
    return [images.index(root, chosen.target, chosen.repository, **where)]


def _chart(root: Path, chosen: argparse.Namespace) -> list[str]:
    from tools.release import chart

    return [chart.push(root, chosen.image, chosen.repository, chosen.out, plain_http=chosen.plain_http)]


STEPS = {
    "check": _check, "notes": _notes, "build": _build, "verify": _verify, "image": _image, "index": _index,
    "chart": _chart,
}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    check = steps.add_parser("check")
    check.add_argument("tag")
    check.add_argument("--branch", default="", help="that the commit must be on")
    steps.add_parser("notes")
    for name in ("build", "verify"):
        steps.add_parser(name).add_argument("--out", type=Path, default=Path("dist"))
    pushing = {name: steps.add_parser(name) for name in ("image", "index", "chart")}
    for name, step in pushing.items():
        if name != "chart":
            step.add_argument("target", choices=["serve", "batch"])
        step.add_argument("repository", help="registry and name")
        step.add_argument("--plain-http", action="store_true", help="the registry has no TLS")
    pushing["image"].add_argument("--base", default="")
    pushing["image"].add_argument("--builder", default="")
    pushing["image"].add_argument("--build-option", action="append", default=[])
    pushing["index"].add_argument("--only", default="", help="the one architecture that there is")
    pushing["chart"].add_argument("--image", required=True, help="of the server, with its digest")
    pushing["chart"].add_argument("--out", type=Path, default=Path("dist"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
