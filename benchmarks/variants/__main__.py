"""``python -m benchmarks.variants NAME PATH``: the work of one variant."""

import sys
from pathlib import Path

from benchmarks.measure import Call
from benchmarks.variants import variant

one = variant(sys.argv[1], Path(sys.argv[2]))
assert isinstance(one, Call)
one.work(one.setup())
