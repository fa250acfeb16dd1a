#!/usr/bin/env bash
# examples_check.sh DIR: runs the example programs in DIR as a person does, small; a crash, a silent refusal, a wrong exit
# status or a file that is not written fails.
set -euo pipefail
examples=$1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/duel examples XXXXXX")
trap 'rm -rf "$scratch"' EXIT

failed() { echo "FAILED: $*"; exit 1; }

refused() {  # refused TEXT ARGUMENTS…: exit status 2 and one line on stderr that holds TEXT
  local text=$1 status=0
  shift
  "$examples/classifier" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq 2 ] || failed "classifier $*: exit status $status"
  [ "$(wc -l <"$scratch/err")" -eq 1 ] || failed "classifier $*: expected one line, got $(cat "$scratch/err")"
  grep -qF -- "$text" "$scratch/err" || failed "classifier $*: '$text' is not in $(cat "$scratch/err")"
}

tiny=(--train synthetic --test synthetic --count 300 --epochs 2 --batch 50 --threads 2)
"$examples/classifier" "${tiny[@]}" >"$scratch/log" || failed "classifier ${tiny[*]}"
[ "$(grep -cE '^epoch [12]: loss [0-9.]+, training accuracy [0-9.]+ %, test accuracy [0-9.]+ %, [0-9.]+ s$' "$scratch/log")" -eq 2 ] ||
  failed "a line per epoch: $(cat "$scratch/log")"
grep -qE '^test accuracy [0-9.]+ % after [0-9.]+ s on 2 threads$' "$scratch/log" || failed "the last line: $(cat "$scratch/log")"
(cd "$scratch" && "$examples/classifier" "${tiny[@]}" --save weights.safetensors >/dev/null) || failed "--save in the present folder"
[ "$(wc -c <"$scratch/weights.safetensors")" -gt 1688616 ] || failed "the weights' file is too short"

refused "--test" --train synthetic
refused "unknown flag '--trian'" --trian synthetic
refused "expected a value" --train
refused "--epochs" "${tiny[@]}" --epochs 0
refused "--count" "${tiny[@]}" --count many
refused "lr" "${tiny[@]}" --lr -1
refused "$scratch/no such folder" --train "$scratch/no such folder" --test synthetic
refused "make it first" "${tiny[@]}" --save "$scratch/no such folder/weights.safetensors"
"$examples/own_objective" 3 >"$scratch/log" || failed "own_objective 3"
grep -qE '^bounded: 3 iterations, loss of D -?[0-9.]+, of G -?[0-9.]+, penalty [0-9.]+$' "$scratch/log" ||
  failed "own_objective: $(cat "$scratch/log")"
# A run of one's own parts: in one go, and in two, it leaves the same files; its pictures are drawn from its names.
"$examples/own_run" train "$scratch/whole" 6 >"$scratch/log" || failed "own_run train"
grep -qE 'bounded with small, 6 iterations' "$scratch/log" || failed "own_run: $(cat "$scratch/log")"
"$examples/own_run" train "$scratch/parts" 3 >/dev/null || failed "own_run train, first half"
"$examples/own_run" train "$scratch/parts" 6 >"$scratch/log" || failed "own_run train, second half"
grep -qE '^resumed +at iteration 3' "$scratch/log" || failed "own_run did not resume: $(cat "$scratch/log")"
for file in metrics.jsonl checkpoints/step_00000006.safetensors samples/fakes_000006.png; do
  cmp "$scratch/whole/$file" "$scratch/parts/$file" || failed "own_run: $file of a resumed run"
done
"$examples/own_run" sample "$scratch/parts" "$scratch/grid.png" >"$scratch/log" || failed "own_run sample"
grep -qE 'grid.png: 64 images of iteration 6 \(bounded, small\)' "$scratch/log" || failed "own_run sample: $(cat "$scratch/log")"
[ -s "$scratch/grid.png" ] || failed "own_run sample wrote nothing"

trains() {  # trains NAME PATTERN: three iterations, and what they print
  "$examples/$1" 3 >"$scratch/log" || failed "$1 3"
  grep -qE "$2" "$scratch/log" || failed "$1: $(cat "$scratch/log")"
  ! "$examples/$1" many >/dev/null 2>&1 || failed "$1 many: not refused"
  [ "$(wc -l <"$(dirname "$0")/../../apps/examples/$1.cpp")" -le 80 ] || failed "$1.cpp has over 80 lines"
}
trains attention '^attention: 3 iterations, loss of D [0-9.]+, of G -?[0-9.]+, gamma of D -?0\.[0-9]*[1-9][0-9]*$'
trains conditional_norm '^conditional_norm: 3 iterations, losses [0-9.]+ -?[0-9.]+$'
trains path_length '^path_length: 3 iterations, loss of D [0-9.]+, of G [0-9.]+, mean length [0-9.]*[1-9][0-9]*$'
trains unrolling '^unrolling: 3 iterations, loss of D [0-9.]+, of G [0-9.]+, deviation of the samples [0-9.]+$'
echo "examples: as expected"
