#!/usr/bin/env bash
# Holds SARIF logs against what GitHub's upload action demands of a log before it sends it.
#
#   .ci/upload-action.sh LOG...
#
# The action (github/codeql-action, src/upload-lib.ts) validates by the schema with npm's jsonschema, and only logs what is
# wrong with the format of a URI. Ends with 0 if it would send all logs, 1 if not, or if it would send a log that is bad on
# purpose, and 2 if jsonschema cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/npm.sh" || exit 2
cd "$here"

judge='
  const { readFileSync } = require("fs");
  const { Validator } = require("jsonschema");
  const [schema, ...logs] = process.argv.slice(1).map(path => ({ path, root: JSON.parse(readFileSync(path, "utf8")) }));
  const wrong = root => new Validator().validate(root, schema.root).errors
    .filter(error => !(error.name === "format" && ["uri", "uri-reference"].includes(error.argument)));
  const bad = { version: "2.1.0", runs: [{ tool: { driver: { name: "bad" } }, results: [],
    invocations: [{ executionSuccessful: true, endTimeUtc: "2026-01-02 03:04:05" }] }] };
  if (wrong(bad).length === 0) {
    console.log("the validator does not see a bad date");
    process.exitCode = 1;
  }
  for (const { path, root } of logs) {
    const errors = wrong(root);
    console.log(`${path}: ${errors.length} errors`);
    for (const error of errors) console.log(`  ${error.stack}`);
    if (errors.length > 0) process.exitCode = 1;
  }
'
node -e "$judge" ../tests/schemas/sarif-2.1.0.json "$@"
