"""Questions about a model that are worked out once for each."""

from collections.abc import Iterator

import pytest

from icclint.ir.base import Frozen, by_identity, once


class Number(Frozen):
    value: int


def test_an_answer_is_worked_out_once_for_each_model() -> None:
    asked: list[int] = []

    @once
    def double(number: Number) -> int:
        asked.append(number.value)
        return 2 * number.value

    one, other = Number(value=1), Number(value=2)
    assert [double(one), double(one), double(other), double(one)] == [2, 2, 4, 2]
    assert asked == [1, 2]


def test_what_was_answered_is_no_part_of_the_model() -> None:
    @once
    def double(number: Number) -> int:
        return 2 * number.value

    asked, unasked = Number(value=1), Number(value=1)
    assert double(asked) == 2
    assert asked == unasked
    assert hash(asked) == hash(unasked)
    assert asked.model_dump() == {"value": 1}


def test_a_changed_copy_is_asked_anew() -> None:
    @once
    def double(number: Number) -> int:
        return 2 * number.value

    number = Number(value=1)
    assert double(number) == 2
    assert double(number.model_copy(update={"value": 5})) == 10
    assert double(number) == 2


def test_what_can_be_had_once_only_is_no_answer() -> None:
    def countdown(number: Number) -> Iterator[int]:
        yield from range(number.value, 0, -1)

    with pytest.raises(TypeError, match="countdown yields"):
        once(countdown)


def test_an_answer_by_identity_is_worked_out_once_for_each_object() -> None:
    asked: list[int] = []

    def double(number: Number) -> int:
        asked.append(number.value)
        return 2 * number.value

    doubled = by_identity(double)
    one, same = Number(value=1), Number(value=1)
    assert [doubled(one), doubled(one), doubled(same)] == [2, 2, 2]
    assert asked == [1, 1]
    # What was asked is kept, so that no later object can be taken for it.
    assert [doubled(Number(value=value)) for value in range(100)] == [2 * value for value in range(100)]
