"""``python -m fuzz [TARGET...]``: looks for inputs that make a front end do what none may do.

Coverage-guided, by atheris and libFuzzer, one target after the other. What was learned is kept in .fuzz/TARGET, so that
the next run goes on from there, and so is an input that fails. ``--input FILE`` shows that one again; put into
tests/fuzzed/TARGET, it is a case.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

if TYPE_CHECKING:
    from fuzz.targets import Target

SECONDS = 10
"""How long an input of a few kilobytes may take before it hangs."""
MEGABYTES = 512
"""How much memory a run may take. It needs less than a hundred, and what an input left behind would add up."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="of TARGETS in fuzz/targets.py; all by default")
    parser.add_argument("--input", type=Path, metavar="FILE", help="try this input only")
    parser.add_argument("--seconds", type=int, default=0, metavar="N", help="stop after so long")
    parser.add_argument("--runs", type=int, metavar="N", help="stop after so many inputs, the same ones every time")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), metavar="FOLDER", help="by default .fuzz")
    asked = parser.parse_args()

    with atheris.instrument_imports(include=["icclint", "icclint_rules", "tarfile", "zipfile", "tomllib"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415

    failed = [
        name
        for name in asked.targets or TARGETS
        if not passes(name, TARGETS[name], asked.input, asked.corpus, asked.seconds, asked.runs)
    ]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def passes(name: str, target: Target, file: Path | None, corpus: Path, seconds: int, runs: int | None) -> bool:
    """Whether nothing was found, in a process of its own, since libFuzzer ends the one that it runs in."""
    print(f"== {name}", file=sys.stderr, flush=True)
    child = os.fork()
    if child == 0:
        if file is not None:
            target.run(file.read_bytes())
            os._exit(0)
        atheris.Setup([sys.argv[0], *options(name, target, corpus, seconds, runs)], target.run)
        atheris.Fuzz()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def options(name: str, target: Target, corpus: Path, seconds: int, runs: int | None) -> list[str]:
    """What libFuzzer is told, with the seeds and the words where it looks for them."""
    seeds = list(target.seeds())
    # Of a short run, one half is seeds, and the other what is made of them.
    chosen = seeds[:: 1 + 2 * len(seeds) // runs] if runs else seeds
    (corpus / name).mkdir(parents=True, exist_ok=True)
    for seed in chosen:
        (corpus / name / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    # libFuzzer takes no empty file.
    words = corpus / f"{name}.words"
    words.write_text("".join(f'"{word}"\n' for word in sorted(target.words()) or ["x"]))
    return [
        f"-max_len={target.longest}",
        f"-max_total_time={seconds}",
        *([f"-runs={runs}", "-seed=1"] if runs else []),
        f"-timeout={SECONDS}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-dict={words}",
        f"-artifact_prefix={corpus}/{name}-",
        "-print_final_stats=1",
        str(corpus / name),
    ]


if __name__ == "__main__":
    main()
