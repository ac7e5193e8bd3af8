"""Programs from npm, which .ci installs; without them, tests are skipped and say so, but for CI."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"


def run_with_npm(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a script of .ci. Its exit code 2 says that npm does not give what it needs."""
    done = subprocess.run([CI / script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 2 and os.environ.get("CI") != "true":
        pytest.skip(f"NOT VALIDATED: {done.stderr[-500:]}")
    return done
