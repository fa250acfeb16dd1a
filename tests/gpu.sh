#!/usr/bin/env bash
# gpu.sh [DIR]: what a machine with an NVIDIA GPU says about Duel, right and fast, in two halves of four minutes at most; each
# is useful alone. What is measured comes in order of what it tells.
#
#   DIR               a CUDA build folder or an unpacked bundle (target gpu-bundle); default: beside this script, else build/cuda
#   --half 1|2        only the parts of one half; without it both, and then the rest
#   --parts "A B"     only these, in the table's order
#   --out FILE        the record, as JSON; written anew whenever something is known      [gpu-DATE.json]
#   --minutes N       for everything                                                     [4 for a half, else 10]
#   --list            prints the table of parts
#   PYTHON=python3    an interpreter: one that has torch for the peer, and whose wheels are looked in for CUDA's libraries
#   PEER=FILE         the PyTorch peer                                                   [peers/torch_gan.py of this folder]
#
# Every part has a time limit of its own and ends when the whole time ends; after a part that fails the next one runs. Exit
# status 0: no part failed; 1: one did; 2: wrong usage; 77: no GPU here. Needs bash, coreutils and python3's standard library.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# half | name | seconds | what it shows
PARTS='
1 | info           |  10 | GPU, driver, and that cuBLASLt and cuDNN are found
1 | bench_nodes    |  15 | what a node of a captured graph costs: empty and 64x256, in a row and over three branches
1 | bench_step     |  25 | training iterations, {mlp, dcgan} x {ns-gan, wgan-gp} at batch 64, TF32 on
1 | bench_graph    |  10 | those iterations as graphs: nodes, time by the model, and the constants of the model on this GPU
1 | peer           |  55 | the same iterations in PyTorch, tuned, as one captured graph
1 | ops            |  50 | all ops, CUDA against CPU in f64 and f32, at orders 0, 1 and 2, with the libraries
1 | ops_own        |  35 | the same with own kernels alone
1 | graph          |  40 | 50 iterations captured = 50 eager, bit for bit, for eight recipes
2 | replay         |  40 | the kernels of an iteration of mlp and dcgan under ns-gan, with their times (ncu)
2 | bench_kernels  |  70 | every own kernel beside a copy of as many bytes and beside plain ops
2 | simt           |  25 | the kernels under the SIMT harness against CUDA
2 | memcheck       |  30 | compute-sanitizer over every own kernel family
2 | trajectory     |  35 | CPU and CUDA weights after 20 steps: relative distance within 2 %
2 | twice          |  20 | two runs give the same bits
2 | resume         |  20 | 10 steps, then resumed to 20 = 20 steps, bit for bit
- | tensor_cores   |  15 | four workloads by own kernels: products of TF32 stay as near to those of floats as they should
- | early          |  90 | ops and captured iterations with kernels that start early (DUEL_EARLY_LAUNCH=1), by own kernels
- | step_own       |  80 | iterations by own kernels: without tensor cores, with them, and with kernels that start early
- | memory         |  40 | memory constant over 1,000 captured iterations
- | allocator      |  20 | device memory: caching, capture pool, what is said when it runs out
- | graph_all      | 120 | as graph, for every objective
- | bench_step_all |  90 | as bench_step, at batch 64, 128 and 512, TF32 on and off
- | peer_all       | 300 | the same in PyTorch: graph, eager, compile; tuned and not; channels-last
- | racecheck      |  60 | compute-sanitizer over every own kernel family and 20 training steps by own kernels
- | initcheck      |  60 | likewise
- | synccheck      |  60 | likewise
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

# Own kernels computing under the libraries' name would be a wrong result.
part_info() {
  "$DUEL_BIN" info
  local maths
  maths=$("$DUEL_BIN" info | sed -n 's/^GPU maths   *//p')
  case $maths in
    *"no cuBLASLt"* | *"no cuDNN"* | "own kernels: "*)
      echo "expected cuBLASLt and cuDNN, got: $maths; pip install nvidia-cublas nvidia-cudnn-cu13, or DUEL_CUBLAS and DUEL_CUDNN"
      return 1 ;;
  esac
  echo "$maths"
}

ops='-*Graph*:*Captur*:*Constant*:DeviceMemory.*:*DeviceTrainer*:DeviceBench.*'
part_ops() { DUEL_TF32=0 DUEL_DEVICE_LIBRARY=auto tests duel_test_devices "$ops"; }
part_ops_own() { DUEL_TF32=0 DUEL_DEVICE_LIBRARY=own tests duel_test_devices "$ops"; }
part_tensor_cores() { DUEL_DEVICE_LIBRARY=own tests duel_test_devices 'Workloads/*'; }
part_early() {
  local library
  (export DUEL_EARLY_LAUNCH=1 DUEL_DEVICE_LIBRARY=own; DUEL_TF32=0 tests duel_test_devices "$ops" && part_graph) || return 1
  for library in own auto; do
    DUEL_EARLY_LAUNCH=0 DUEL_DEVICE_LIBRARY=$library train "late-$library" --arch dcgan --objective wgan-gp --steps 10 --device cuda &&
      DUEL_EARLY_LAUNCH=1 DUEL_DEVICE_LIBRARY=$library train "early-$library" --arch dcgan --objective wgan-gp --steps 10 --device cuda &&
      same_bits "$library" "late-$library" "early-$library" || return 1
  done
  echo "ops, captured iterations, and dcgan under wgan-gp by own kernels and with libraries: the bits of kernels that start in turn"
}
part_allocator() { tests duel_test_devices 'DeviceMemory.*'; }
part_graph() {
  tests duel_test_devices "$(printf '*CapturedIterationsAreEagerOnes/%s_*:' mlp_ns_gan mlp_wgan_gp mlp_unrolled mlp_consensus mlp_began \
    mlp_sngan dcgan_ns_gan dcgan_wgan_gp)"
}
part_graph_all() { tests duel_test_devices '*Graph*:*Captur*:*DeviceTrainer*-*Constant*:*Memory*:Workloads/*'; }
part_memory() { tests duel_test_devices '*DeviceTrainer*Constant*:*DeviceTrainer*Memory*'; }

part_simt() {
  local simt cuda
  simt=$(find_executable duel_kernel_values_simt) && cuda=$(find_executable duel_kernel_values) || skip "duel_kernel_values is not in $DUEL_DIR"
  "$simt" simt.values && DUEL_DEVICE_LIBRARY=own "$cuda" cuda.values && python3 -S "$TOOLS" values simt.values cuda.values
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
  python3 -S "$TOOLS" distance 0.02 "${pairs[@]}"
}

# Own kernels alone: through cuBLAS and cuDNN these tools are slow and report what is not Duel's.
export_own() { export DUEL_DEVICE_LIBRARY=own; }
sanitize() {  # sanitize TOOL: every kernel family
  local sanitizer values
  sanitizer=$(find_tool compute-sanitizer) || skip "compute-sanitizer was not found (PATH, CUDA_HOME, /usr/local/cuda*, wheels of $PYTHON)"
  values=$(find_executable duel_kernel_values) || skip "duel_kernel_values is not in $DUEL_DIR"
  export_own
  "$sanitizer" --tool "$1" --error-exitcode 9 "$values" kernels.values >kernels.log 2>&1 || { grep -E '=========' kernels.log | tail -3; return 1; }
  echo "every kernel family: nothing found"
}
sanitize_training() {
  sanitize "$1" || return
  "$(find_tool compute-sanitizer)" --tool "$1" --error-exitcode 9 "$DUEL_BIN" train --data synthetic --synthetic-count 64 --batch 8 --arch dcgan \
    --objective wgan-gp --channels-g 8 --channels-d 8 --steps 20 --device cuda --out run >train.log 2>&1 || { grep -E '=========' train.log | tail -3; return 1; }
  echo "every kernel family and 20 steps of dcgan under wgan-gp: nothing found"
}
part_memcheck() { sanitize memcheck; }
part_racecheck() { sanitize_training racecheck; }
part_initcheck() { sanitize_training initcheck; }
part_synccheck() { sanitize_training synccheck; }

part_bench_kernels() {
  tests duel_test_devices 'DeviceBench.*' || return 1
  "$DUEL_BIN" bench kernels --device cuda --quick --json data.json | tail -3 || return 1
  python3 -S "$TOOLS" kernels data.json
}

part_bench_nodes() { python3 -S "$TOOLS" rows data.json "$DUEL_BIN" bench nodes --device cuda --json; }

workloads="--arch mlp,dcgan --objective ns-gan,wgan-gp"
step() { python3 -S "$TOOLS" rows data.json "$DUEL_BIN" bench step --device cuda --seconds 1 --json $workloads "$@"; }
part_bench_graph() { DUEL_TF32=1 python3 -S "$TOOLS" rows data.json "$DUEL_BIN" bench graph --device cuda --json $workloads --batch 64; }
part_bench_step() { DUEL_TF32=1 step --batch 64; }
part_step_own() {
  local status=0
  export DUEL_DEVICE_LIBRARY=own
  DUEL_TF32=0 step --batch 64 || status=1
  DUEL_TF32=1 step --batch 64 || status=1
  DUEL_TF32=1 DUEL_EARLY_LAUNCH=1 step --batch 64 || status=1
  return $status
}
part_bench_step_all() {
  local status=0
  DUEL_TF32=1 step --batch 64,128,512 || status=1
  DUEL_TF32=0 step --batch 64,128,512 || status=1
  return $status
}

peer() {
  [ -f "$PEER" ] || skip "there is no peer $PEER"
  "$PYTHON" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || skip "$PYTHON has no torch with CUDA (PYTHON=... names another)"
  python3 -S "$TOOLS" rows data.json "$PYTHON" "$PEER" --device cuda --seconds 1 ${workloads//,/ } "$@"
}
part_peer() { peer --mode graph --tuned on --channels-last off on --batch 64; }
part_peer_all() { peer --mode graph eager compile --tuned on off --channels-last off on --tf32 on off --batch 64 128 512; }

# Graph nodes one by one. The run before its first replay is in it too: kernels are counted over three iterations.
part_replay() {
  local ncu arch
  ncu=$(find_tool ncu) || skip "ncu was not found (PATH, CUDA_HOME, /usr/local/cuda*, wheels of $PYTHON)"
  for arch in mlp dcgan; do
    "$ncu" --graph-profiling node --metrics gpu__time_duration.sum --csv --log-file "$arch.csv" "$DUEL_BIN" train --data synthetic \
      --synthetic-count 64 --batch 64 --arch $arch --objective ns-gan --steps 3 --device cuda --out "run-$arch" >"$arch.log" 2>&1
    ! grep -q ERR_NVGPUCTRPERM "$arch.csv" "$arch.log" || skip "ncu may not read the GPU's counters here (ERR_NVGPUCTRPERM)"
  done
  python3 -S "$TOOLS" ncu data.json mlp.csv dcgan.csv
}

# ---- Where things are ----

find_executable() {
  local folder
  for folder in "$DUEL_DIR" "$DUEL_DIR/bin" "$DUEL_DIR/tests" "$DUEL_DIR/tests/simt"; do
    [ -x "$folder/$1" ] && [ ! -d "$folder/$1" ] && { echo "$folder/$1"; return 0; }
  done
  return 1
}

find_tool() {  # find_tool NAME: one of CUDA's
  local candidate
  for candidate in "$(command -v "$1")" "${CUDA_HOME:-/none}"/bin/"$1" "${CUDA_PATH:-/none}"/bin/"$1" /usr/local/cuda*/bin/"$1" \
    /usr/local/cuda*/"$1"/"$1" /opt/nvidia/nsight-compute/*/"$1" \
    $("$PYTHON" -c 'import site, sys; print(*[p + "/nvidia/*/bin/" + sys.argv[1] for p in site.getsitepackages()])' "$1"); do
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

dir="" only="" half="" out="" minutes=""
while [ $# -gt 0 ]; do
  case $1 in
    --parts) only=${2?"--parts: expected names"}; shift ;;
    --half) half=${2?"--half: expected 1 or 2"}; shift ;;
    --out) out=${2?"--out: expected a file"}; shift ;;
    --minutes) minutes=${2?"--minutes: expected a number"}; shift ;;
    --list) echo "${PARTS#?}"; exit 0 ;;
    -h | --help) sed -n '2,/^set /{/^#/p}' "$0" | cut -c3-; exit 0 ;;
    -*) fail "unknown option '$1'; --help shows them" ;;
    *) [ -z "$dir" ] || fail "expected one folder, got '$dir' and '$1'"; dir=$1 ;;
  esac
  shift
done
case $half in "" | 1 | 2) ;; *) fail "half: expected 1 or 2, got '$half'" ;; esac
[ -z "$half" ] || [ -z "$only" ] || fail "expected --half or --parts, not both"
[ -n "$minutes" ] || { [ -n "$half" ] && minutes=4 || minutes=10; }
[[ $minutes =~ ^[0-9]+$ ]] && [ "$minutes" -ge 1 ] || fail "minutes: expected a number of at least 1, got '$minutes'"
if [ -z "$dir" ]; then
  dir=$here/../build/cuda
  [ -x "$here/bin/duel" ] && dir=$here
  [ -x "$dir/duel" ] || [ "$dir" = "$here" ] || [ -e /dev/nvidia0 ] || skip "no GPU: this machine has no /dev/nvidia0"
fi
[ -d "$dir" ] || fail "$dir: no such folder; expected a CUDA build (cmake --preset cuda) or an unpacked bundle"
DUEL_DIR=$(cd "$dir" && pwd)
DUEL_BIN=$(find_executable duel) || fail "$dir: there is no duel in it"
TOOLS=$here/gpu_tools.py
PYTHON=${PYTHON:-python3}
out=${out:-gpu-$(date +%Y%m%dT%H%M%S).json}
[ -d "$(dirname "$out")" ] || fail "out: there is no folder $(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
PEER=${PEER:-$here/peers/torch_gan.py}
[ -f "$PEER" ] && PEER=$(cd "$(dirname "$PEER")" && pwd)/$(basename "$PEER")
export DUEL_DIR DUEL_BIN TOOLS PYTHON PEER
export -n BASH_ENV
for name in $only; do
  table | grep -q "^[12-]|$name|" || fail "unknown part '$name'; --list shows them"
done

# Two blanks at least: "GPU maths" is another line.
gpu=$("$DUEL_BIN" info | sed -n 's/^GPU   *//p')
[ -n "$gpu" ] || fail "$DUEL_BIN info says nothing about a GPU; is it a Duel of this version?"
case $gpu in
  "not used"*) fail "the GPU cannot be used: ${gpu#not used: }" ;;
  none*) echo "no GPU: ${gpu#none: }"; exit 77 ;;
esac

command -v python3 >/dev/null || fail "python3 is missing"
# CUDA's libraries from the interpreter's wheels, where Duel finds none itself.
maths=$("$DUEL_BIN" info | sed -n 's/^GPU maths   *//p')
while IFS='=' read -r name folder; do
  case $name$maths in DUEL_CUBLAS*"no cuBLASLt"* | DUEL_CUDNN*"no cuDNN"*) [ -n "${!name:-}" ] || export "$name=$folder" ;; esac
done < <("$PYTHON" "$TOOLS" folders)

work=$(mktemp -d)
part=""
trap '[ -z "$part" ] || kill "$part" 2>/dev/null; rm -rf "$work"' EXIT
python3 -S "$TOOLS" machine "$work/machine.json" "$gpu" "$DUEL_BIN"
record() { python3 -S "$TOOLS" record "$work" "$out"; }
end=$((SECONDS + minutes * 60))
failed=0
echo "$gpu"
while IFS='|' read -r of name limit what; do
  [ -z "$half" ] || [ "$half" = "$of" ] || continue
  [ -z "$only" ] || [[ " $only " == *" $name "* ]] || continue
  override=LIMIT_$name
  limit=${!override:-$limit}
  left=$((end - SECONDS))
  mkdir "$work/$name"
  echo "$name" >>"$work/order"
  began=$SECONDS
  result() { printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$1" "$((SECONDS - began))" "$limit" "$what" >"$work/$name/result.tsv"; record; }
  if [ "$left" -lt 2 ]; then
    echo "no time left of $minutes minutes" >"$work/$name.log"
    result skipped
    continue
  fi
  [ "$limit" -le "$left" ] || limit=$left
  printf '%-14s %s ...\n' "$name" "$what"
  (cd "$work/$name" && timeout --kill-after=5 "$limit" bash "$here/gpu.sh" --run-part "$name") >"$work/$name.log" 2>&1 </dev/null &
  part=$!
  # What a part has measured so far is in the record too: this machine may be taken away at any time.
  while kill -0 "$part" 2>/dev/null; do
    [ $(((SECONDS - began) % 5)) -ne 4 ] || result running
    sleep 0.05
  done
  wait "$part"
  status=$?
  part=""
  case $status in
    0) status=passed ;;
    77) status=skipped ;;
    124 | 137) status=timeout; echo "ended after its limit of $limit s" >>"$work/$name.log" ;;
    *) status=failed ;;
  esac
  result "$status"
  case $status in failed | timeout) failed=1 ;; esac
done < <(table)

python3 -S "$TOOLS" table "$out" || failed=1
exit "$failed"
