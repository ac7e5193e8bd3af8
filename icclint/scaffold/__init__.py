"""A package with one rule to begin with: its page and its question are there to be replaced, and its tests pass."""

from __future__ import annotations

import keyword
from importlib.resources import files
from pathlib import Path
from string import Template

from icclint import __version__
from icclint.rule import is_id

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "$package/__init__.py": "package.py",
    "$package/$function.py": "rule.py",
    "tests/$id.md": "cases.md",
    "tests/test_rules.py": "test_rules.py",
}
"""The files of a package, by their paths, and the templates that they are made of."""


def write_package(id: str, folder: Path) -> tuple[Path, ...]:
    """Writes a package with a rule of that name into a folder that is new or empty, and says what it wrote.

    Raises ValueError where no rule can have the name, FileExistsError where something is in the folder already, and
    OSError where it cannot be written.
    """
    texts = package(id)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already")
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)


def package(id: str) -> dict[str, str]:
    """The texts of a package with a rule of that name, by their paths. Raises ValueError where no rule can have it."""
    function = id.replace("-", "_")
    if not is_id(id) or keyword.iskeyword(function):
        raise ValueError(f"{id!r} is no name for a rule: words in lower case, with hyphens between them")
    names = {"id": id, "function": function, "package": f"icclint_{function}", "version": __version__}
    templates = files(__name__)
    return {
        Template(path).substitute(names): Template(
            (templates / f"{template}.template").read_text(encoding="utf-8")
        ).substitute(names)
        for path, template in _FILES.items()
    }
