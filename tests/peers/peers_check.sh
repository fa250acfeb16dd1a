#!/usr/bin/env bash
# peers_check.sh: tests bench_step.py without PyTorch, on a Duel and a peer that are stand-ins: what it compares, and that
# whatever is missing or fails is named in one line, before minutes of timing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/with_torch"
echo '__version__ = "9.9"' >"$work/with_torch/torch.py"
cat >"$work/duel" <<'FAKE'
#!/usr/bin/env bash
echo '{"ms_median": 2, "ms_cpu": 1, "parameters_g": 5, "parameters_d": 6}'
FAKE
cat >"$work/peer.py" <<'FAKE'
import json, sys
if "--channels-last" in sys.argv: sys.exit("refused")
print(json.dumps({"ms_median": 3 if "--tuned" in sys.argv else 5, "ms_cpu": 4, "parameters_g": 5, "parameters_d": 6}))
FAKE
chmod +x "$work/duel"
printf 'print("{\\"error\\": \\"RuntimeError: no such loss\\"}")' >"$work/failing.py"
printf 'print("{\\"ms_median\\": 3, \\"ms_cpu\\": 3, \\"parameters_g\\": 5, \\"parameters_d\\": 7}")' >"$work/other.py"
printf '#!/usr/bin/env bash\necho "duel: [bench] broken" >&2\nexit 2\n' >"$work/broken"
chmod +x "$work/broken"

failed() { echo "FAILED: $*"; exit 1; }
bench() { PYTHONPATH=$work/with_torch python3 "$here/bench_step.py" --rounds 1 --threads 1 --batch 64 --objective ns-gan "$@"; }
refused() {  # refused TEXT OPTIONS…
  local text=$1 said
  shift
  said=$(bench "$@" 2>&1 >"$work/out") && failed "$*: exit status 0"
  [ "$(wc -l <<<"$said")" -eq 1 ] || failed "$*: expected one line, got $said"
  grep -qF -- "$text" <<<"$said" || failed "$*: '$text' is not in: $said"
}

bench --duel "$work/duel" --peer "$work/peer.py" --arch dcgan --out "$work/rows.json" >"$work/out"
grep -qF '| dcgan | ns-gan | 64 | 1 | 2.0 | 3.0 | tuned | 1.50 |' "$work/out" || failed "$(cat "$work/out")"
grep -q '"torch": "9.9"' "$work/rows.json" || failed "$(cat "$work/rows.json")"
grep -q 'peer.py.*refused' "$work/rows.json" || failed "a refused mode is not in the record"
bench --duel "$work/duel" --peer "$work/peer.py" --arch mlp --cpu-time >"$work/out"
grep -qF '| 1.0 | 4.0 | eager | 4.00 |' "$work/out" || failed "$(cat "$work/out")"

refused "--peer $work/none.py: no such file" --duel "$work/duel" --peer "$work/none.py"
refused "$work/none: no such program; build the target duel_command" --duel "$work/none"
refused "$work/none: no such program; build the target duel_networks" --duel-networks "$work/none" --networks sagan
refused "--python $work/none: No such file" --duel "$work/duel" --python "$work/none"
refused "there is no folder $work/none" --duel "$work/duel" --out "$work/none/rows.json"
refused "no mode of PyTorch ran" --duel "$work/duel" --peer "$work/failing.py" --arch mlp
refused "RuntimeError: no such loss" --duel "$work/duel" --peer "$work/failing.py" --arch mlp
refused "not the same networks: parameters of G and D [(5, 6), (5, 7)]" --duel "$work/duel" --peer "$work/other.py" --arch mlp
refused "duel: [bench] broken" --duel "$work/broken" --peer "$work/peer.py" --arch mlp
echo 'raise ImportError("no torch here")' >"$work/with_torch/torch.py"
refused "has no torch (ImportError: no torch here); pip install torch" --duel "$work/duel"
said=$(PYTHONPATH=$work/with_torch python3 "$here/torch_gan.py" 2>&1) && failed "torch_gan.py without torch: exit status 0"
[ "$said" = "torch_gan.py: no torch here; pip install torch, or name an interpreter that has it" ] || failed "torch_gan.py: $said"
echo "bench_step.py: comparisons and refusals as expected"
