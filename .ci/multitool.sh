#!/usr/bin/env bash
# Validates SARIF logs with Microsoft's sarif-multitool, its rules for GitHub included.
#
#   .ci/multitool.sh LOG...
#
# Ends with 0 if it has no error and no warning on any log, 1 if it has, or if it does not see the faults of a log that
# is bad on purpose, and 2 if it cannot be had.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/npm.sh" || exit 2
tool=$here/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool

# Prints what the validator has on a log: the numbers of errors, warnings and notes, then a line for each error and each
# warning. Its exit code says nothing, so the report is read. A level of "warning" goes without saying there.
judge='
  const run = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).runs[0];
  const of = level => run.results.filter(result => (result.level ?? "warning") === level);
  const loud = [...of("error"), ...of("warning")];
  console.log(of("error").length, of("warning").length, of("note").length);
  for (const { ruleId, level, message } of loud) console.log(level ?? "warning", ruleId, ...(message.arguments ?? []));
'

# One file a call: a wrong enum value in one silences it on the others. The binary and not the wrapper of npm, which
# hands the semicolon to a shell.
validate() {
  rm -f "$work/report.sarif"
  "$tool" validate "$1" --rule-kind "Sarif;Ghas" --config "$here/multitool.xml" --level "Error;Warning;Note" \
    --max-file-size-in-kb 200000 --output "$work/report.sarif" --log "ForceOverwrite" >"$work/said" 2>&1 || true
  if [ ! -s "$work/report.sarif" ]; then
    echo "no report on $1:" >&2
    cat "$work/said" >&2
    return 1
  fi
  node -e "$judge" "$work/report.sarif"
}

cat >"$work/bad.sarif" <<'BAD'
{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [{
  "tool": {"driver": {"name": "bad", "rules": [{"id": "B1"}]}},
  "results": [{"ruleId": "B1", "message": {"text": "An absolute address and no region."}, "locations": [
    {"physicalLocation": {"artifactLocation": {"uri": "file:///etc/hosts", "uriBaseId": "ROOT"}}}]}]}]}
BAD
seen=$(validate "$work/bad.sarif")
# An error of its default rules, one of its rules for GitHub, and one of those that the configuration switches on.
for rule in SARIF1004 GH2012 GH1003; do
  if ! grep -q " $rule " <<<"$seen"; then
    echo "the validator does not see $rule in a log that has that fault" >&2
    exit 1
  fi
done

status=0
for log in "$@"; do
  found=$(validate "$log") || { status=1; continue; }
  read -r errors warnings notes <<<"$(head -n 1 <<<"$found")"
  echo "$log: $errors errors, $warnings warnings, $notes notes"
  tail -n +2 <<<"$found"
  if [ "$errors" -gt 0 ] || [ "$warnings" -gt 0 ]; then
    status=1
  elif [ "$notes" -eq 0 ]; then
    # Rule names in words alone draw a note each, so it has not read the log.
    echo "$log: the validator has nothing to say at all"
    status=1
  fi
done
exit "$status"
