#!/bin/bash
# Makes a release in a folder (dist by default): the wheel, the sources, and the bill of materials in CycloneDX, of what
# the action installs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-dist}
python=${PYTHON:-.venv/bin/python}

"$python" -m hatchling build -d "$folder"

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"$python" -m venv "$room"
"$room/bin/python" -m pip install -q --only-binary :all: --require-hashes -r action/requirements.txt
"$room/bin/python" -m pip install -q --no-deps "$folder"/icclint-*.whl
# The version is in the package; the bill needs it beside the name.
version=$("$room/bin/python" -c 'import icclint; print(icclint.__version__)')
sed "s/^dynamic = .*/version = \"$version\"/" pyproject.toml >"$room/pyproject.toml"
"$room/bin/python" -m pip uninstall -q -y pip
"$python" -m cyclonedx_py environment --output-reproducible --pyproject "$room/pyproject.toml" \
    -o "$folder/icclint.cdx.json" "$room"
