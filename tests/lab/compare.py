"""Do packets do the same in two captures of a scenario? Identifiers, MACs and addresses may differ."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from tests.lab.capture import TRUTH
from tests.lab.truth import Truth

Question = tuple[object, ...]
Answer = tuple[str, ...]
Answers = dict[Question, list[Answer]]


def answers(truth: Truth) -> Answers:
    """What became of each probe: the result, and the kinds of details that there are to it."""
    found: Answers = defaultdict(list)
    for path in truth.paths:
        common = (path.src, path.dst, path.path, path.network or path.published, path.family)
        for protocol, port, result, *more in path.probes:
            details = more[0].model_dump(exclude_unset=True) if more else {}
            question = (*common, protocol, port, details.pop("sport", None))
            found[question].append((result, *details))
    return found


def differences(one: Truth, other: Truth) -> Iterator[str]:
    """What the packets of one did otherwise, in words."""
    ours, theirs = answers(one), answers(other)
    for question in ours.keys() | theirs.keys():
        pair = ours.get(question), theirs.get(question)
        if pair[0] != pair[1]:
            words = " ".join(str(word) for word in question if word is not None)
            yield f"{words}: {pair[0] or 'not asked'}, and {pair[1] or 'not asked'}"


def _truths(root: Path) -> dict[str, Truth]:
    return {
        str(path.parent.relative_to(root)): Truth.model_validate_json(path.read_text())
        for path in sorted(root.rglob(TRUTH))
    }


@click.command(help=__doc__)
@click.argument("one", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("other", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(one: Path, other: Path) -> None:
    ours, theirs = _truths(one), _truths(other)
    both = sorted(ours.keys() & theirs.keys())
    found = [f"{name}: {line}" for name in both for line in sorted(differences(ours[name], theirs[name]))]
    for line in found:
        click.echo(line)
    probes = sum(len(path.probes) for name in both for path in ours[name].paths)
    click.echo(f"{len(both)} captures in both, {probes} probes, {len(found)} differences")
    sys.exit(1 if found or not both else 0)


if __name__ == "__main__":
    main()
