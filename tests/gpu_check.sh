#!/usr/bin/env bash
# gpu_check.sh [DUEL]: tests gpu.sh without a GPU: on a folder of fake executables, where parts pass, fail, are skipped, hang and
# run no test, and where runs agree or not; and (with DUEL, a real one that sees no GPU) that it exits with 77.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Some hundred times it is called: not by way of a version manager's shim, which is a script.
PATH=$(dirname "$(python3 -c 'import sys; print(sys.executable)')"):$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
expect() {  # expect WHAT COMMAND…
  local what=$1
  shift
  "$@" >/dev/null || { echo "gpu_check: $what" >&2; failures=$((failures + 1)); }
}

# ---- No GPU ----
if [ $# -gt 0 ]; then
  status=0
  CUDA_VISIBLE_DEVICES="" bash "$here/gpu.sh" "$(dirname "$1")" --out "$work/none.json" >"$work/said" 2>&1 || status=$?
  expect "without a GPU: expected 77, got $status" [ "$status" -eq 77 ]
  expect "without a GPU: one line that says so" grep -q '^no GPU: .' "$work/said"
  expect "without a GPU: no record" [ ! -e "$work/none.json" ]
fi

# ---- Fakes ----
mkdir -p "$work/fake/bin" "$work/empty"
cat >"$work/fake/bin/duel" <<'FAKE'
#!/usr/bin/env bash
# info, train (a checkpoint that depends on the seed file beside it) and bench.
here=$(dirname "$0")
case $1 in
  info)
    maths="cuBLASLt 13.0.0 (somewhere), cuDNN 9.9.0, TF32 on"
    [ -e "$here/bare" ] && maths="cuBLASLt 13.0.0 (somewhere), no cuDNN: not found, TF32 on"
    [ -e "$here/bare" ] && [ -n "$DUEL_CUDNN" ] && maths="cuBLASLt 13.0.0 (somewhere), cuDNN 9.9.0 ($DUEL_CUDNN, not $DUEL_CUBLAS), TF32 on"
    echo "duel       0.0"; echo "GPU        Fake GPU 9000"; echo "GPU maths  $maths" ;;
  train)
    while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; [ "$1" = --device ] && device=$2; shift; done
    mkdir -p "$out/checkpoints"
    python3 -S - "$out/checkpoints/step_00000020.safetensors" "$device" "$(cat "$here/drift" 2>/dev/null || echo 0)" <<'PY'
import json, os, struct, sys
drift = float(sys.argv[3]) * (sys.argv[2] == "cuda") + (os.urandom(1)[0] + 1e-3 if os.path.exists(os.path.dirname(sys.argv[0]) + "/noise") else 0)
header = json.dumps({"__metadata__": {}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "step": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]}}).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(header)) + header + struct.pack("<ffq", 1 + drift, 2, 20))
PY
    ;;
  bench)
    case $* in
      *kernels*) while [ $# -gt 0 ]; do [ "$1" = --json ] && file=$2; shift; done
        echo '{"results": [{"name": "add", "family": "elementwise", "bytes": 268435456, "copy_percent": 95}], "skipped": []}' >"$file" ;;
      *graph*) for objective in ns-gan wgan-gp; do
        echo '{"bench": "graph", "arch": "dcgan", "objective": "'$objective'", "batch": 64, "nodes": 44, "critical_path": 33, "model_us": 343.5}'
      done ;;
      *nodes*) echo '{"bench": "nodes", "work": "empty", "branches": 1, "nodes": 100, "us_per_node": 1.25}' ;;
      *) python3 -S - "$here" "$@" <<'PY'
import json, os, sys, time
given = dict(zip(sys.argv[2:], sys.argv[3:]))
for batch in given["--batch"].split(","):
    for arch in given["--arch"].split(","):
        for objective in given["--objective"].split(","):
            if arch == "dcgan" and os.path.exists(sys.argv[1] + "/broken"):
                sys.exit("duel: broken")
            if arch == "dcgan" and os.path.exists(sys.argv[1] + "/slow"):
                time.sleep(60)
            print(json.dumps({"arch": arch, "objective": objective, "batch": int(batch), "tf32": os.environ["DUEL_TF32"] == "1",
                              "ms_median": 0.1 if arch == "mlp" else 0.25}), flush=True)
PY
        ;;
    esac ;;
esac
FAKE
cat >"$work/fake/bin/duel_test_devices" <<'FAKE'
#!/usr/bin/env bash
case $* in
  *filter=-*) [ "$DUEL_DEVICE_LIBRARY" = auto ] && [ -e "$(dirname "$0")/wrong" ] && { echo "[  FAILED  ] Ops.Exp"; exit 1; }
    echo "[==========] 12 tests from 2 test suites ran. (5 ms total)" ;;
  *DeviceBench* | *filter=Workloads*) echo "[==========] 12 tests from 2 test suites ran. (5 ms total)" ;;
  *DeviceMemory*) echo "[  FAILED  ] Allocator.Caches"; echo "[==========] 3 tests from 1 test suite ran. (1 ms total)"; exit 1 ;;
  *CapturedIterations*) echo "[==========] 8 tests from 1 test suite ran. (5 ms total)" ;;
  *Graph*) sleep 30 ;;
  *Constant*) echo "[==========] 0 tests from 0 test suites ran. (0 ms total)" ;;
esac
FAKE
for name in duel_kernel_values duel_kernel_values_simt; do
  cat >"$work/fake/bin/$name" <<'FAKE'
#!/usr/bin/env bash
python3 -S - "$1" "$(cat "$(dirname "$0")/values" 2>/dev/null || echo 0)" "$0" <<'PY'
import struct, sys
apart = float(sys.argv[2]) * sys.argv[3].endswith("simt")
open(sys.argv[1], "wb").write(struct.pack("<I3scQ2d", 3, b"add", b"d", 2, 1.0, 2.0 + apart) + struct.pack("<I4scQ1i", 4, b"flag", b"i", 1, 1))
PY
FAKE
done
cat >"$work/fake/compute-sanitizer" <<'FAKE'
#!/usr/bin/env bash
[ "$DUEL_DEVICE_LIBRARY" = own ] || { echo "========= of another library"; exit 9; }
[ "$2" = racecheck ] && { echo "========= RACECHECK SUMMARY: 1 hazard"; exit 9; }
while [[ $1 = --* ]]; do shift; [[ $1 = --* ]] || shift; done
exec "$@"
FAKE
cat >"$work/fake/ncu" <<'FAKE'
#!/usr/bin/env bash
while [ "$1" != --log-file ]; do shift; done
echo '==PROF== Connected' >"$2"
echo '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"' >>"$2"
for time in 2,000 4000 3000; do echo '"0","adam_kernel(float*)","gpu__time_duration.sum","ns","'$time'"' >>"$2"; done
FAKE
chmod +x "$work"/fake/bin/* "$work/fake/compute-sanitizer" "$work/fake/ncu"

gpu() { status=0; PATH="$work/fake:$PATH" LIMIT_graph_all=1 PEER=${PEER:-none} bash "$here/gpu.sh" "$work/fake" --out "$work/record.json" "$@" >"$work/said" 2>&1 || status=$?; }
result() { python3 -S -c 'import json, sys; print(json.load(open(sys.argv[1]))["parts"][sys.argv[2]][sys.argv[3]])' "$work/record.json" "$1" "$2"; }
parts() { python3 -S -c 'import json, sys; print(*json.load(open(sys.argv[1]))["parts"])' "$work/record.json"; }
is() { [ "$(result "$1" result)" = "$2" ] || { echo "$1 is $(result "$1" result), expected $2: $(result "$1" said)" >&2; return 1; }; }

gpu
expect "a failing part: expected status 1, got $status" [ "$status" -eq 1 ]
expect "the record is JSON and names the GPU" grep -q '"gpu": "Fake GPU 9000"' "$work/record.json"
for name in info bench_nodes bench_step bench_graph ops ops_own graph replay bench_kernels simt memcheck trajectory twice resume tensor_cores early step_own bench_step_all initcheck synccheck; do
  expect "$name" is $name passed
done
expect "a failing test" is allocator failed
expect "a failing test is named" grep -q 'Allocator.Caches' <<<"$(result allocator log)"
expect "a part beyond its limit" is graph_all timeout
expect "no test at all" is memory failed
expect "a finding of compute-sanitizer" is racecheck failed
expect "no peer" is peer skipped
expect "data are in the record" grep -q '0.25' <<<"$(result bench_step data)"
expect "nodes are in the record" grep -q '1.25' <<<"$(result bench_nodes data)"
expect "kernels with their times" grep -q "adam_kernel.*'launches': 3, 'us_median': 3.0, 'us_total': 9.0" <<<"$(result replay data)"
expect "the table is last, with every part" [ "$(sed -n '/^info  *passed/,$p' "$work/said" | grep -cE ' (passed|failed|timeout|skipped) ')" -ge 26 ]
expect "iterations are in the table" grep -qE 'dcgan  wgan-gp    512  TF32 off +250.0' "$work/said"
expect "nodes and the model stand beside an iteration" grep -qE 'dcgan  wgan-gp     64  TF32 on +250.0 +- +44 +33 +343.5$' "$work/said"
expect "nor beside one of other arithmetic" grep -qE 'dcgan  wgan-gp     64  TF32 off +250.0 +-$' "$work/said"
expect "the last line counts" grep -qE '^20 passed, 3 failed, 1 beyond their time, 2 skipped' <(tail -1 "$work/said")

# A half is what fits into four minutes, whatever its parts take.
for half in 1 2; do
  seconds=$(bash "$here/gpu.sh" --list | awk -F'|' -v half=$half '$1 + 0 == half { sum += $3 } END { print sum }')
  expect "half $half may take $seconds s" [ "$seconds" -ge 60 -a "$seconds" -le 240 ]
  gpu --half $half
  expect "half $half: expected status 0, got $status" [ "$status" -eq 0 ]
done
expect "the second half alone" [ "$(parts)" = "replay bench_kernels simt memcheck trajectory twice resume" ]

# One library's failure hides nothing of the other.
touch "$work/fake/bin/wrong"
gpu --parts "ops ops_own"
expect "ops with libraries" is ops failed
expect "ops by own kernels" is ops_own passed
rm "$work/fake/bin/wrong"

# Libraries that are missing are no passing result; those in the interpreter's wheels are found, and only what is missing is set.
touch "$work/fake/bin/bare"
gpu --parts info
expect "no cuDNN" is info failed
mkdir -p "$work/wheels/nvidia/cudnn/lib" "$work/wheels/nvidia/cu13/lib"
touch "$work/wheels/nvidia/cudnn/lib/libcudnn.so.9" "$work/wheels/nvidia/cu13/lib/libcublasLt.so.13"
PYTHONPATH=$work/wheels gpu --parts info
expect "cuDNN of the wheels" is info passed
expect "its folder, and no other" grep -q "cuDNN 9.9.0 ($work/wheels/nvidia/cudnn/lib, not )" <<<"$(result info said)"
rm "$work/fake/bin/bare"

echo 0.5 >"$work/fake/bin/drift"
echo 1e-6 >"$work/fake/bin/values"
touch "$work/fake/bin/broken"
gpu --parts "trajectory simt bench_step"
expect "weights that drift apart" is trajectory failed
expect "values that differ" is simt failed
expect "a workload that fails" is bench_step failed
expect "its other rows are kept" grep -q '0.1' <<<"$(result bench_step data)"
expect "only the parts asked for" [ "$(parts)" = "bench_step simt trajectory" ]

# What is known is in the record at once: after a part's limit, and after the machine was taken away within a part.
mv "$work/fake/bin/"{broken,slow}
LIMIT_bench_step=2 gpu --parts bench_step
expect "rows of a part beyond its limit" grep -q "'mlp', 'objective': 'wgan-gp'" <<<"$(result bench_step data)"
rm "$work/record.json"
PATH="$work/fake:$PATH" setsid bash "$here/gpu.sh" "$work/fake" --out "$work/record.json" --parts "bench_nodes bench_step" >"$work/said" 2>&1 &
session=$!
for _ in $(seq 100); do
  sleep 0.2
  [ -e "$work/record.json" ] && grep -q wgan-gp "$work/record.json" && break
done
kill -KILL -- "-$session"
wait "$session" 2>/dev/null || true
expect "a part that was going on" is bench_step running
expect "its rows" grep -q "'mlp', 'objective': 'wgan-gp'" <<<"$(result bench_step data)"
expect "the part before it" is bench_nodes passed
mv "$work/fake/bin/"{slow,broken}
rm "$work/fake/bin/"{drift,values,broken}

gpu --parts "trajectory simt"
expect "nothing fails: expected status 0, got $status" [ "$status" -eq 0 ]
python3 -S - "$work/fake/bin/duel" <<'PY'
import sys
text = open(sys.argv[1]).read()
open(sys.argv[1], "w").write(text.replace('if os.path.exists(os.path.dirname(sys.argv[0]) + "/noise") else 0', 'if True else 0'))
PY
gpu --parts "twice resume"
expect "runs that differ" is twice failed
expect "a resumed run that differs" is resume failed

# ---- A peer ----
cat >"$work/peer.py" <<'PY'
import json, sys
row = {"arch": "dcgan", "objective": "ns-gan", "batch": 64, "tf32": True, "tuned": True, "channels_last": False}
print(json.dumps({**row, "mode": "graph", "ms_median": 0.5}))
print(json.dumps({**row, "mode": "compile", "error": "refused"}))
print(json.dumps({**row, "mode": "eager", "ms_median": 0.8}))
PY
printf '#!/usr/bin/env bash\n[ "$1" = -c ] && exit 0\nexec python3 "$@"\n' >"$work/python"
chmod +x "$work/python"
PEER=$work/peer.py PYTHON=$work/python gpu --parts "bench_step peer"
expect "a peer" is peer passed
expect "what it refuses is said" grep -q '1 refused: refused' <<<"$(result peer said)"
expect "its best mode stands beside Duel's time" grep -qE 'dcgan  ns-gan      64  TF32 on +250.0 +500.0  graph tuned +2.00x' "$work/said"
expect "the peer of this folder takes gpu.sh's options" python3 -S - "$here" <<'PY'
import re, sys
from pathlib import Path
options = set(re.findall(r'add_argument\("(--[a-z0-9-]+)"', Path(sys.argv[1], "peers/torch_gan.py").read_text()))
used = set(re.findall(r"--[a-z0-9-]+", "".join(re.findall(r"^ *(?:python3 .*PEER|part_peer).*$", Path(sys.argv[1], "gpu.sh").read_text(), re.M))))
sys.exit(0 if used and used - {"--json"} <= options else f"{used - options}")
PY

# ---- Wrong usage ----
for arguments in "--parts none" "--half 3" "--half 1 --parts ops" "--minutes zero" "--colour" "/none/such"; do
  gpu $arguments
  expect "gpu.sh $arguments: expected status 2, got $status" [ "$status" -eq 2 ]
done
status=0
bash "$here/gpu.sh" "$work/empty" >"$work/said" 2>&1 || status=$?
expect "a folder without duel: expected status 2, got $status" [ "$status" -eq 2 ]

[ "$failures" -eq 0 ] || { echo "gpu_check: $failures failures; the last output was:" >&2; cat "$work/said" >&2; exit 1; }
echo "gpu.sh: passes, failures, time limits, skips, records as expected"
