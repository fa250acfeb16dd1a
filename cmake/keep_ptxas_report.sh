#!/usr/bin/env bash
# keep_ptxas_report.sh COMPILER ARGUMENT…: runs the CUDA compiler (or a compiler cache before it) and keeps what
# `-Xptxas=-v` prints (registers, shared memory, spills per kernel) beside the object, as OBJECT.ptxas, where
# tests/ptxas_report.py finds it. Everything else the compiler says is passed on, and so is its exit status.
set -uo pipefail
object=""
previous=""
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"

said=$object.ptxas.said
"$@" 2>"$said"
status=$?
report='^ptxas info|^ +[0-9]+ bytes stack frame,'
grep -vE "$report" "$said" >&2
grep -E "$report" "$said" >"$object.ptxas"
rm -f "$said"
[ "$status" -eq 0 ] || rm -f "$object.ptxas"
exit "$status"
