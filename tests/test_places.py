"""A folder of hosts is taken apart without being read, and reading its parts gives what reading all of it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icclint.capture.limits import Limits
from icclint.capture.places import Place, Source, find_places
from icclint.capture.read import read_captures, read_place
from tests.packed import PACKERS

ROOT = Path(__file__).parent.parent
LIMITS = Limits()


def assert_parts_are_the_whole(folder: Path) -> tuple[Place, ...]:
    parts = find_places([str(folder)], folder.parent, LIMITS)
    read = [read_place(place, LIMITS) for place in parts]
    whole = read_place(Place(folder.name, (Source(str(folder), folder.name, is_asked=True),)), LIMITS)
    assert sorted((one for captures, _ in read for one in captures), key=lambda one: one.host) == list(whole[0])
    assert sorted(str(error) for _, errors in read for error in errors) == sorted(map(str, whole[1]))
    return parts


@pytest.mark.parametrize("name", ["samples", "samples/28.5.2", "tests/captures", "tests/transcripts", "tests/dumps"])
def test_folders_of_captures(name: str) -> None:
    assert_parts_are_the_whole(ROOT / name)


def test_each_host_of_a_folder_is_a_place_of_its_own() -> None:
    places = find_places([str(ROOT / "samples")], ROOT, LIMITS)
    captures, _ = read_captures([str(ROOT / "samples")], ROOT)
    assert [place.host for place in places] == [capture.host for capture in captures]


SAVE = b"*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
CONTENTS = {
    "save": SAVE,
    "note": b"hello\n",
    "empty": b"",
    "console": b"root@web1:~# iptables -S FORWARD\n-P FORWARD DROP\nroot@web1:~# \n",
}


tar = PACKERS["tar.gz"]
ARCHIVES = {
    "web.tar.gz": tar({"web/iptables-save": SAVE}),
    "notes.tgz": tar({"a": b"hello\n"}),
    "no.zip": b"hello\n",
    "empty.zip": b"PK\x05\x06" + bytes(18),
    "cut.tar.gz": tar({"web/iptables-save": SAVE})[:40],
}
names = st.sampled_from(["a", "b", "iptables-save", "hosts", "docker", "network", "z.txt", "manifest.tsv"])
leaves = st.sampled_from(sorted(CONTENTS))
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=3),
    lambda below: st.dictionaries(names, st.one_of(leaves, below), max_size=4),
    max_leaves=12,
)


def write(folder: Path, tree: object) -> None:
    if isinstance(tree, dict):
        folder.mkdir()
        for name, below in tree.items():
            write(folder / name, below)
    else:
        folder.write_bytes(CONTENTS[str(tree)])


@given(tree=trees, archives=st.sets(st.sampled_from(sorted(ARCHIVES))), many=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_folder(tree: object, archives: set[str], many: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("any") / "all"
    write(top, tree)
    for name in archives:
        (top / name).write_bytes(ARCHIVES[name])
    for number in range(101 if many else 0):
        (top / f"{number:03}.log").write_bytes(b"hello\n")
    assert_parts_are_the_whole(top)
