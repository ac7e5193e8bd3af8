"""What all models of the representation share."""

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict

_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")
_Answer = TypeVar("_Answer")


class Frozen(BaseModel):
    """A value that never changes; an unknown field is a mistake of ours, not of the capture."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    def __copy__(self) -> Self:
        """A copy without what was worked out of the fields, since `model_copy` may change these."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def once(question: Callable[[_Model], _Answer]) -> Callable[[_Model], _Answer]:
    """A question about a frozen model that is worked out once for each, as by `functools.cached_property`.

    It is for questions that the model's own module cannot answer. The answer is shared, so it must be a value that does
    not change. Raises TypeError for a generator function, whose answer can be had once only.
    """
    if isgeneratorfunction(question):
        raise TypeError(f"{question.__qualname__} yields, and would have nothing to say the second time")
    name = f"{question.__module__}.{question.__qualname__}"

    @wraps(question)
    def answer(model: _Model) -> _Answer:
        # Equality, hashes and JSON of pydantic's models are about fields only.
        if name not in model.__dict__:
            model.__dict__[name] = question(model)
        found: _Answer = model.__dict__[name]
        return found

    return answer


def by_identity(make: Callable[[_Value], _Answer]) -> Callable[[_Value], _Answer]:
    """A function of values that many others share, which is worked out once for each object.

    To hash a model takes longer than most answers do.
    """
    known: dict[int, tuple[_Value, _Answer]] = {}

    def answer(value: _Value) -> _Answer:
        found = known.get(id(value))
        if found is None:
            # While it is kept here, no other object has its identity.
            found = known[id(value)] = value, make(value)
        return found[1]

    return answer
