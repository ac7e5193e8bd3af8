"""``python -m icclint``."""

from icclint.cli import main

main()
