#!/usr/bin/env bash
# gpu.sh [DIR]: what a machine with an NVIDIA GPU says about Duel, right and fast, in ten minutes at most.
#
#   DIR               a CUDA build folder or an unpacked bundle (target gpu-bundle); default: beside this script, else build/cuda
#   --parts "A B"     only these, in the table's order; without it all
#   --out FILE        the record, as JSON                                        [gpu-DATE.json]
#   --minutes N       for everything                                             [10]
#   --list            prints the table of parts
#   PEER=torch_gan.py    the PyTorch peer; without it that part is skipped
#   PYTHON=python3       an interpreter; for the peer one that has torch
#
# Every part has a time limit of its own and ends when the whole time ends; after a part that fails the next one runs. Exit
# status 0: no part failed; 1: one did; 2: wrong usage; 77: no GPU here. Needs bash, coreutils and python3's standard library.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# name | seconds | what it shows
PARTS='
ops            | 100 | all ops, CUDA against CPU in f64 and f32, at orders 0, 1 and 2
allocator      |  20 | device memory: caching, capture pool, what is said when it runs out
simt           |  30 | the kernels under the SIMT harness against CUDA
graph          | 120 | 50 iterations captured = 50 eager, bit for bit, for every objective
twice          |  60 | two runs give the same bits
trajectory     |  90 | CPU and CUDA weights after 20 steps: relative distance within 2 %
resume         |  60 | 10 steps, then resumed to 20 = 20 steps, bit for bit
memory         |  40 | memory constant over 1,000 captured iterations
bench_step     |  90 | training iterations, {mlp, dcgan} x {ns-gan, wgan-gp} x batch {64, 128, 512}, TF32 on and off
bench_kernels  | 120 | every own kernel beside a copy of as many bytes and beside plain ops
memcheck       |  60 | compute-sanitizer over every kernel family and 20 training steps
racecheck      |  60 | likewise
initcheck      |  60 | likewise
synccheck      |  60 | likewise
peer           | 400 | the same iterations in PyTorch: eager, graph, compile; tuned and not; TF32 on and off
'

fail() { echo "gpu.sh: $1" >&2; exit 2; }
# The last line of a part is its result in words.
skip() { echo "$1"; exit 77; }

# ---- Parts. Each runs in a shell of its own, in an empty folder, with $DUEL_BIN and $TOOLS set; 0 passed, 77 skipped. ----

# tests EXECUTABLE FILTER [COMMAND BEFORE IT…]: at least one test must run and all must pass.
tests() {
  local executable filter=$2
  executable=$(find_executable "$1") || skip "$1 is not in $DUEL_DIR"
  shift 2
  "$@" "$executable" --gtest_filter="$filter" --gtest_brief=1 | tee tests.log
  local status=${PIPESTATUS[0]}
  grep -qE '^\[==========\] [1-9][0-9]* tests? from' tests.log || { echo "no test matches $filter"; return 1; }
  ! grep -qE '^\[  PASSED  \] 0 tests' tests.log || { echo "every test of $filter was skipped"; return 1; }
  [ "$status" -eq 0 ] || { grep -E '^\[  FAILED  \]' tests.log | tail -3; return "$status"; }
  grep -E '^\[==========\]' tests.log | tail -1 | sed 's/^\[=*\] //'
}

# train FOLDER OPTION…: a short run on drawn digits.
train() {
  local out=$1
  shift
  "$DUEL_BIN" train --data synthetic --synthetic-count 512 --batch 32 --log-every 10 --out "$out" "$@" >"$out.log" 2>&1 ||
    { tail -3 "$out.log"; return 1; }
}

checkpoint() { ls "$1"/checkpoints/*.safetensors | sort | tail -1; }

same_bits() {  # same_bits WHAT RUN RUN
  cmp "$(checkpoint "$2")" "$(checkpoint "$3")" || { echo "$1: the checkpoints differ"; return 1; }
}

part_ops() {
  local library
  for library in own auto; do
    DUEL_TF32=0 DUEL_DEVICE_LIBRARY=$library tests duel_test_devices '-*Graph*:*Captur*:*Constant*:DeviceMemory.*:*DeviceTrainer*:DeviceBench.*' ||
      { echo "with DUEL_DEVICE_LIBRARY=$library"; return 1; }
  done
}
part_allocator() { tests duel_test_devices 'DeviceMemory.*'; }
part_graph() { tests duel_test_devices '*Graph*:*Captur*:*DeviceTrainer*-*Constant*:*Memory*'; }
part_memory() { tests duel_test_devices '*DeviceTrainer*Constant*:*DeviceTrainer*Memory*'; }

part_simt() {
  local simt cuda
  simt=$(find_executable duel_kernel_values_simt) && cuda=$(find_executable duel_kernel_values) || skip "duel_kernel_values is not in $DUEL_DIR"
  "$simt" simt.values && DUEL_DEVICE_LIBRARY=own "$cuda" cuda.values && python3 "$TOOLS" values simt.values cuda.values
}

part_twice() {
  local arch objective
  for arch in mlp dcgan; do
    for objective in ns-gan wgan-gp; do
      train "a-$arch-$objective" --arch $arch --objective $objective --steps 10 --device cuda || return 1
      train "b-$arch-$objective" --arch $arch --objective $objective --steps 10 --device cuda || return 1
      same_bits "$arch $objective" "a-$arch-$objective" "b-$arch-$objective" || return 1
    done
  done
  echo "mlp and dcgan, ns-gan and wgan-gp: equal checkpoints after 10 steps"
}

part_resume() {
  local arch
  for arch in mlp dcgan; do
    train "whole-$arch" --arch $arch --objective wgan-gp --steps 20 --device cuda &&
      train "half-$arch" --arch $arch --objective wgan-gp --steps 10 --device cuda &&
      train "half-$arch" --resume --steps 20 --device cuda && same_bits $arch "whole-$arch" "half-$arch" || return 1
  done
  echo "mlp and dcgan under wgan-gp: equal checkpoints at step 20"
}

# Two libraries' roundings on one CPU take dcgan 0.6 % apart in 20 steps (ns-gan), mlp less than 1e-6.
part_trajectory() {
  local arch objective pairs=()
  for arch in mlp dcgan; do
    for objective in ns-gan wgan-gp; do
      DUEL_TF32=0 train "cuda-$arch-$objective" --arch $arch --objective $objective --steps 20 --device cuda || return 1
      train "cpu-$arch-$objective" --arch $arch --objective $objective --steps 20 --device cpu || return 1
      pairs+=("$arch-$objective" "$(checkpoint "cpu-$arch-$objective")" "$(checkpoint "cuda-$arch-$objective")")
    done
  done
  python3 "$TOOLS" distance 0.02 "${pairs[@]}"
}

sanitize() {
  local sanitizer arguments=(--tool "$1" --error-exitcode 9)
  sanitizer=$(find_sanitizer) || skip "compute-sanitizer was not found (PATH, CUDA_HOME, /usr/local/cuda*, wheels of python3)"
  local values
  values=$(find_executable duel_kernel_values) || skip "duel_kernel_values is not in $DUEL_DIR"
  [ "$1" = memcheck ] && arguments+=(--leak-check full)
  "$sanitizer" "${arguments[@]}" "$values" kernels.values >kernels.log 2>&1 || { grep -E '=========' kernels.log | tail -3; return 1; }
  "$sanitizer" "${arguments[@]}" "$DUEL_BIN" train --data synthetic --synthetic-count 64 --batch 8 --arch dcgan --objective wgan-gp \
    --channels-g 8 --channels-d 8 --steps 20 --device cuda --out run >train.log 2>&1 || { grep -E '=========' train.log | tail -3; return 1; }
  echo "every kernel family and 20 steps of dcgan under wgan-gp: nothing found"
}
part_memcheck() { sanitize memcheck; }
part_racecheck() { sanitize racecheck; }
part_initcheck() { sanitize initcheck; }
part_synccheck() { sanitize synccheck; }

part_bench_kernels() {
  tests duel_test_devices 'DeviceBench.*' || return 1
  "$DUEL_BIN" bench kernels --device cuda --json data.json | tail -3 || return 1
  python3 "$TOOLS" kernels data.json
}

part_bench_step() { python3 "$TOOLS" steps "$DUEL_BIN" data.json; }

part_peer() {
  [ -n "${PEER:-}" ] || skip "PEER=torch_gan.py was not given"
  [ -f "$PEER" ] || { echo "PEER=$PEER: no such file"; return 1; }
  "$PYTHON" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || skip "$PYTHON has no torch with CUDA (PYTHON=... names another)"
  "$PYTHON" "$TOOLS" peer "$PEER" data.json "$PART_SECONDS"
}

# ---- Where things are ----

find_executable() {
  local folder
  for folder in "$DUEL_DIR" "$DUEL_DIR/bin" "$DUEL_DIR/tests" "$DUEL_DIR/tests/simt"; do
    [ -x "$folder/$1" ] && [ ! -d "$folder/$1" ] && { echo "$folder/$1"; return 0; }
  done
  return 1
}

find_sanitizer() {
  local candidate
  for candidate in "$(command -v compute-sanitizer)" "${CUDA_HOME:-/none}"/bin/compute-sanitizer "${CUDA_PATH:-/none}"/bin/compute-sanitizer \
    /usr/local/cuda*/bin/compute-sanitizer /usr/local/cuda*/compute-sanitizer/compute-sanitizer \
    $(python3 -c 'import site; print(*[p + "/nvidia/*/bin/compute-sanitizer" for p in site.getsitepackages()])'); do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { echo "$candidate"; return 0; }
  done
  return 1
}

table() { sed -E '/^$/d; s/ *\| */|/g' <<<"$PARTS"; }

# ---- One part, called by the script itself ----

if [ "${1:-}" = --run-part ]; then
  "part_$2"
  exit
fi

# ---- All of them ----

dir="" only="" out="" minutes=10
while [ $# -gt 0 ]; do
  case $1 in
    --parts) only=${2?"--parts: expected names"}; shift ;;
    --out) out=${2?"--out: expected a file"}; shift ;;
    --minutes) minutes=${2?"--minutes: expected a number"}; shift ;;
    --list) echo "${PARTS#?}"; exit 0 ;;
    -h | --help) sed -n '2,/^set /{/^#/p}' "$0" | cut -c3-; exit 0 ;;
    -*) fail "unknown option '$1'; --help shows them" ;;
    *) [ -z "$dir" ] || fail "expected one folder, got '$dir' and '$1'"; dir=$1 ;;
  esac
  shift
done
[[ $minutes =~ ^[0-9]+$ ]] && [ "$minutes" -ge 1 ] || fail "minutes: expected a number of at least 1, got '$minutes'"
if [ -z "$dir" ]; then
  dir=$here/../build/cuda
  [ -x "$here/bin/duel" ] && dir=$here
fi
[ -d "$dir" ] || fail "$dir: no such folder; expected a CUDA build (cmake --preset cuda) or an unpacked bundle"
DUEL_DIR=$(cd "$dir" && pwd)
DUEL_BIN=$(find_executable duel) || fail "$dir: there is no duel in it"
TOOLS=$here/gpu_tools.py
PYTHON=${PYTHON:-python3}
out=${out:-gpu-$(date +%Y%m%dT%H%M%S).json}
[ -d "$(dirname "$out")" ] || fail "out: there is no folder $(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
[ -z "${PEER:-}" ] && [ -f "$here/torch_gan.py" ] && PEER=$here/torch_gan.py
[ -n "${PEER:-}" ] && PEER=$(cd "$(dirname "$PEER")" && pwd)/$(basename "$PEER")
export DUEL_DIR DUEL_BIN TOOLS PYTHON PEER
export -n BASH_ENV
for name in $only; do
  table | grep -q "^$name|" || fail "unknown part '$name'; --list shows them"
done

# Two blanks at least: "GPU maths" is another line.
gpu=$("$DUEL_BIN" info | sed -n 's/^GPU   *//p')
[ -n "$gpu" ] || fail "$DUEL_BIN info says nothing about a GPU; is it a Duel of this version?"
case $gpu in
  "not used"*) fail "the GPU cannot be used: ${gpu#not used: }" ;;
  none*) echo "no GPU: ${gpu#none: }"; exit 77 ;;
esac

command -v python3 >/dev/null || fail "python3 is missing"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
end=$((SECONDS + minutes * 60))
failed=0
echo "$gpu"
while IFS='|' read -r name limit what; do
  [ -z "$only" ] || [[ " $only " == *" $name "* ]] || continue
  override=LIMIT_$name
  limit=${!override:-$limit}
  left=$((end - SECONDS))
  mkdir "$work/$name"
  began=$SECONDS
  if [ "$left" -lt 2 ]; then
    status=skipped
    echo "no time left of $minutes minutes" >"$work/$name.log"
  else
    [ "$limit" -le "$left" ] || limit=$left
    printf '%-14s %s ...\n' "$name" "$what"
    (cd "$work/$name" && PART_SECONDS=$limit timeout --kill-after=5 "$limit" bash "$here/gpu.sh" --run-part "$name") >"$work/$name.log" 2>&1 </dev/null
    case $? in
      0) status=passed ;;
      77) status=skipped ;;
      124 | 137) status=timeout; echo "ended after its limit of $limit s" >>"$work/$name.log" ;;
      *) status=failed ;;
    esac
  fi
  case $status in failed | timeout) failed=1 ;; esac
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$status" "$((SECONDS - began))" "$limit" "$what" >>"$work/parts.tsv"
done < <(table)

python3 "$TOOLS" record "$work" "$out" "$gpu" "$DUEL_BIN" || failed=1
exit "$failed"
