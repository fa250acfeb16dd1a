#!/usr/bin/env bash
# gpu_check.sh [DUEL]: tests gpu.sh without a GPU: on a folder of fake executables, where parts pass, fail, are skipped, hang and
# run no test, and where runs agree or not; and (with DUEL, a real one that sees no GPU) that it exits with 77.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
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
  info) echo "duel       0.0"; echo "GPU        Fake GPU 9000"; echo "GPU maths  own kernels" ;;
  train)
    while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; [ "$1" = --device ] && device=$2; shift; done
    mkdir -p "$out/checkpoints"
    python3 - "$out/checkpoints/step_00000020.safetensors" "$device" "$(cat "$here/drift" 2>/dev/null || echo 0)" <<'PY'
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
      *mlp*) echo '{"ms_median": 0.1, "threads": 1}' ;;
      *) [ -e "$here/broken" ] && { echo "duel: broken" >&2; exit 1; }; echo '{"ms_median": 0.25, "threads": 1}' ;;
    esac ;;
esac
FAKE
cat >"$work/fake/bin/duel_test_devices" <<'FAKE'
#!/usr/bin/env bash
case $* in
  *filter=-* | *DeviceBench*) echo "[==========] 12 tests from 2 test suites ran. (5 ms total)" ;;
  *DeviceMemory*) echo "[  FAILED  ] Allocator.Caches"; echo "[==========] 3 tests from 1 test suite ran. (1 ms total)"; exit 1 ;;
  *Graph*) sleep 30 ;;
  *Constant*) echo "[==========] 0 tests from 0 test suites ran. (0 ms total)" ;;
esac
FAKE
for name in duel_kernel_values duel_kernel_values_simt; do
  cat >"$work/fake/bin/$name" <<'FAKE'
#!/usr/bin/env bash
python3 - "$1" "$(cat "$(dirname "$0")/values" 2>/dev/null || echo 0)" "$0" <<'PY'
import struct, sys
apart = float(sys.argv[2]) * sys.argv[3].endswith("simt")
open(sys.argv[1], "wb").write(struct.pack("<I3scQ2d", 3, b"add", b"d", 2, 1.0, 2.0 + apart) + struct.pack("<I4scQ1i", 4, b"flag", b"i", 1, 1))
PY
FAKE
done
cat >"$work/fake/compute-sanitizer" <<'FAKE'
#!/usr/bin/env bash
[ "$2" = racecheck ] && { echo "========= RACECHECK SUMMARY: 1 hazard"; exit 9; }
while [[ $1 = --* ]]; do shift; [[ $1 = --* ]] || shift; done
exec "$@"
FAKE
chmod +x "$work"/fake/bin/* "$work/fake/compute-sanitizer"

gpu() { status=0; PATH="$work/fake:$PATH" LIMIT_graph=1 bash "$here/gpu.sh" "$work/fake" --out "$work/record.json" "$@" >"$work/said" 2>&1 || status=$?; }
result() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["parts"][sys.argv[2]][sys.argv[3]])' "$work/record.json" "$1" "$2"; }
is() { [ "$(result "$1" result)" = "$2" ] || { echo "$1 is $(result "$1" result), expected $2: $(result "$1" said)" >&2; return 1; }; }

gpu
expect "a failing part: expected status 1, got $status" [ "$status" -eq 1 ]
expect "the record is JSON and names the GPU" grep -q '"gpu": "Fake GPU 9000"' "$work/record.json"
for name in ops simt twice trajectory resume bench_step bench_kernels memcheck initcheck synccheck; do expect "$name" is $name passed; done
expect "a failing test" is allocator failed
expect "a failing test is named" grep -q 'Allocator.Caches' <<<"$(result allocator log)"
expect "a part beyond its limit" is graph timeout
expect "no test at all" is memory failed
expect "a finding of compute-sanitizer" is racecheck failed
expect "no peer" is peer skipped
expect "data are in the record" grep -q '0.25' <<<"$(result bench_step data)"
expect "the table is last, with every part" [ "$(sed -n '/^ops  *passed/,$p' "$work/said" | grep -cE ' (passed|failed|timeout|skipped) ')" -ge 15 ]
expect "iterations are in the table" grep -qE 'dcgan  wgan-gp    512  TF32 off +250.0' "$work/said"
expect "the last line counts" grep -qE '^10 passed, 3 failed, 1 beyond their time, 1 skipped' <(tail -1 "$work/said")

echo 0.5 >"$work/fake/bin/drift"
echo 1e-6 >"$work/fake/bin/values"
touch "$work/fake/bin/broken"
gpu --parts "trajectory simt bench_step"
expect "weights that drift apart" is trajectory failed
expect "values that differ" is simt failed
expect "a workload that fails" is bench_step failed
expect "its other rows are kept" grep -q '0.1' <<<"$(result bench_step data)"
expect "only the parts asked for" [ "$(python3 -c 'import json,sys; print(len(json.load(open(sys.argv[1]))["parts"]))' "$work/record.json")" -eq 3 ]
rm "$work/fake/bin/"{drift,values,broken}

gpu --parts "trajectory simt"
expect "nothing fails: expected status 0, got $status" [ "$status" -eq 0 ]
python3 - "$work/fake/bin/duel" <<'PY'
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
mode = sys.argv[sys.argv.index("--mode") + 1]
if mode == "compile": raise RuntimeError("refused")
print(json.dumps({"ms_median": 0.5 if "--tuned" in sys.argv else 0.8}))
PY
printf '#!/usr/bin/env bash\n[ "$1" = -c ] && exit 0\nexec python3 "$@"\n' >"$work/python"
chmod +x "$work/python"
PEER=$work/peer.py PYTHON=$work/python gpu --parts "bench_step peer"
expect "a peer" is peer passed
expect "its best mode stands beside Duel's time" grep -qE 'dcgan  ns-gan      64  TF32 on +250.0 +500.0  graph tuned +2.00x' "$work/said"

# ---- Wrong usage ----
for arguments in "--parts none" "--minutes zero" "--colour" "/none/such"; do
  gpu $arguments
  expect "gpu.sh $arguments: expected status 2, got $status" [ "$status" -eq 2 ]
done
status=0
bash "$here/gpu.sh" "$work/empty" >"$work/said" 2>&1 || status=$?
expect "a folder without duel: expected status 2, got $status" [ "$status" -eq 2 ]

[ "$failures" -eq 0 ] || { echo "gpu_check: $failures failures; the last output was:" >&2; cat "$work/said" >&2; exit 1; }
echo "gpu.sh: passes, failures, time limits, skips, records as expected"
