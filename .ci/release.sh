#!/bin/bash
# Makes what a release is, in dist/: the wheel, the sources, and the bill of materials of both (CycloneDX), which lists
# what the action installs. Needs the extra `release`; the last step asks a database of vulnerabilities.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

rm -rf dist
"$python" -m hatchling build -d dist

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"$python" -m venv "$room"
"$room/bin/python" -m pip install -q --require-hashes -r action/requirements.txt
"$room/bin/python" -m pip install -q --no-deps dist/*.whl
"$room/bin/python" -m pip uninstall -q -y pip setuptools
"$python" -m cyclonedx_py environment --output-reproducible --pyproject pyproject.toml -o dist/icclint.cdx.json "$room"

"$python" -m pip_audit --require-hashes --disable-pip -r action/requirements.txt
