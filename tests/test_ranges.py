"""Sets of ranges against Python's own sets."""

from hypothesis import given
from hypothesis import strategies as st

from icclint.packets.ranges import RangeSet
from tests.test_properties import examples

RANGES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda one: (one[0], one[0] + one[1])), max_size=5
)


def values(ranges: RangeSet) -> set[int]:
    return {value for first, last in ranges.ranges for value in range(first, last + 1)}


@examples(500)
@given(RANGES, RANGES)
def test_sets_of_ranges_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = RangeSet.of(*one), RangeSet.of(*other)
    assert values(a & b) == values(a) & values(b)
    assert values(a | b) == values(a) | values(b)
    assert values(a - b) == values(a) - values(b)
    assert a.meets(b) == bool(values(a) & values(b))
    assert a.size == len(values(a))
    assert [value for value in range(50) if value in a] == sorted(values(a))
    # The same set is the same value.
    assert (a == b) == (values(a) == values(b))
