#!/usr/bin/env python3
"""What tests/gpu.sh computes: comparisons of files, rows of benchmarks, and the record. Standard library only.

gpu_tools.py record WORK OUT GPU DUEL       all parts' results as one JSON file, and a table on stdout
gpu_tools.py distance BOUND NAME A B …      checkpoints A and B: relative distance of their networks' tensors below BOUND
gpu_tools.py values A B                     kernel outputs of duel_kernel_values: how far apart
gpu_tools.py kernels JSON                   one line about a report of duel bench kernels
gpu_tools.py steps DUEL JSON                duel bench step over the matrix of workloads
gpu_tools.py peer TORCH_GAN JSON SECONDS    the same matrix in PyTorch, in this process, until the time is over
"""
import array
import datetime
import io
import json
import math
import os
import platform
import re
import runpy
import struct
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

WORKLOADS = [(arch, objective, batch) for batch in (64, 128, 512) for arch in ("mlp", "dcgan") for objective in ("ns-gan", "wgan-gp")]


def tensors(path):
    """The float tensors of a safetensors file: name -> array."""
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    found = {}
    for name, entry in header.items():
        kind = {"F32": "f", "F64": "d"}.get(entry.get("dtype"))
        if name != "__metadata__" and kind:
            begin, end = entry["data_offsets"]
            found[name] = array.array(kind, data[8 + size + begin:8 + size + end])
    return found


def distance(a, b):
    """||a - b|| / ||a|| over all tensors together; infinite where names, sizes or finiteness differ."""
    if a.keys() != b.keys() or any(len(a[name]) != len(b[name]) for name in a):
        return math.inf
    apart = sum((x - y) ** 2 for name in a for x, y in zip(a[name], b[name]))
    size = sum(x * x for name in a for x in a[name])
    if not math.isfinite(apart) or not math.isfinite(size):
        return math.inf
    return math.sqrt(apart / size) if size > 0 else (0.0 if apart == 0 else math.inf)


def command_distance(bound, *pairs):
    bound, good, said, rows = float(bound), True, [], {}
    for name, first, second in zip(pairs[0::3], pairs[1::3], pairs[2::3]):
        # Networks only: a moment of Adam's is one gradient's rounding away from another sign.
        a, b = ({key: values for key, values in tensors(path).items() if not key.startswith("optimizer")} for path in (first, second))
        if not a:
            raise SystemExit(f"{first}: no float tensors in it")
        rows[name] = distance(a, b)
        good = good and rows[name] <= bound
        said.append(f"{name} {rows[name]:.1e}")
    Path("data.json").write_text(json.dumps({"bound": bound, "distance": {k: v if math.isfinite(v) else None for k, v in rows.items()}}))
    print(("" if good else f"above {bound:g}: ") + ", ".join(said))
    return good


def read_values(path):
    """The file of tests/devices/kernel_values.cpp."""
    data, at, found = Path(path).read_bytes(), 0, {}
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        name = data[at + 4:at + 4 + length].decode()
        at += 4 + length
        kind, count = struct.unpack_from("<cQ", data, at)
        values = array.array(kind.decode())
        at += 9
        values.frombytes(data[at:at + count * values.itemsize])
        at += count * values.itemsize
        found[name] = (kind.decode(), values)
    return found


def command_values(first, second):
    a, b = read_values(first), read_values(second)
    if a.keys() != b.keys() or not a:
        print(f"different lists: {sorted(a.keys() ^ b.keys())[:5]}")
        return False
    equal, worst, bad = 0, 0.0, []
    for name, (kind, x) in a.items():
        y = b[name][1]
        if x.tobytes() == y.tobytes():
            equal += 1
            continue
        if kind not in "fd" or len(x) != len(y):
            bad.append(name)
            continue
        scale = max((abs(v) for v in x if math.isfinite(v)), default=0.0) or 1.0
        error = max((abs(v - w) if v == v and w == w else (0.0 if v != v and w != w else math.inf)) for v, w in zip(x, y)) / scale
        worst = max(worst, error)
        if not error <= (1e-5 if kind == "f" else 1e-12):
            bad.append(f"{name} {error:.1e}")
    Path("data.json").write_text(json.dumps({"outputs": len(a), "equal_bits": equal, "worst_relative": worst if math.isfinite(worst) else None, "bad": bad}))
    print(("too far apart: " + ", ".join(bad[:5]) + "; " if bad else "") +
          f"{equal} of {len(a)} outputs equal bit for bit, the others within {worst:.1e} of their largest value")
    return not bad


def command_kernels(path):
    report = json.loads(Path(path).read_text())
    rows = report["results"]
    large = [row for row in rows if row["bytes"] >= 64 << 20]
    memory_bound = [row for row in large if row["family"] in ("elementwise", "losses", "clip", "optimizers", "sample_norm")]
    if not rows:
        print("nothing was measured")
        return False
    slow = sorted(memory_bound, key=lambda row: row["copy_percent"])[:3]
    print(f"{len(rows)} rows, {len(report['skipped'])} not measured; below 90 % of copy at 64 MB and more: "
          f"{sum(row['copy_percent'] < 90 for row in memory_bound)} of {len(memory_bound)}; lowest: " +
          ", ".join(f"{row['name']} {row['copy_percent']:.0f} %" for row in slow))
    return True


def command_steps(duel, path):
    rows = []
    for tf32 in ("1", "0"):
        for arch, objective, batch in WORKLOADS:
            done = subprocess.run([duel, "bench", "step", "--device", "cuda", "--arch", arch, "--objective", objective, "--batch", str(batch),
                                   "--iterations", "200", "--json"], capture_output=True, text=True, env={**os.environ, "DUEL_TF32": tf32})
            lines = done.stdout.strip().splitlines()
            row = {"arch": arch, "objective": objective, "batch": batch, "tf32": tf32 == "1"}
            if done.returncode == 0 and lines:
                row.update(json.loads(lines[-1]))
            else:
                row["error"] = (done.stderr.strip().splitlines() or ["no output"])[-1]
            rows.append(row)
            Path(path).write_text(json.dumps(rows))  # what is measured is kept where the time ends
    errors = [row["error"] for row in rows if "error" in row]
    fast = [f"{row['arch']} {row['objective']} {row['ms_median'] * 1e3:.0f} us" for row in rows
            if row["batch"] == 64 and row["tf32"] and "error" not in row]
    print(f"{len(errors)} of {len(rows)} rows failed: {errors[0]}" if errors else "batch 64: " + ", ".join(fast))
    return not errors


def command_peer(script, path, seconds):
    """torch_gan.py is run in this process, so that torch is imported once."""
    end, rows, left_out = time.time() + float(seconds) - 10, [], 0
    modes = [(mode, tuned) for mode in ("graph", "eager", "compile") for tuned in (False, True)]
    for mode, tuned in modes:
        for tf32 in (True, False):
            for arch, objective, batch in WORKLOADS:
                row = {"arch": arch, "objective": objective, "batch": batch, "mode": mode, "tuned": tuned, "tf32": tf32}
                if mode == "compile" and objective == "wgan-gp":
                    continue  # torch.compile refuses double backward
                if time.time() > end:
                    left_out += 1
                    continue
                sys.argv = [script, "--device", "cuda", "--mode", mode, "--arch", arch, "--loss", {"ns-gan": "ns"}.get(objective, objective),
                            "--batch", str(batch), "--iters", "50"] + ["--tuned"] * tuned + ["--tf32"] * tf32
                said = io.StringIO()
                try:
                    with redirect_stdout(said):
                        runpy.run_path(script, run_name="__main__")
                    row.update(json.loads(said.getvalue().strip().splitlines()[-1]))
                except (Exception, SystemExit) as error:  # one mode that torch refuses is a row, not the end
                    row["error"] = f"{type(error).__name__}: {error}"[:200]
                rows.append(row)
                Path(path).write_text(json.dumps(rows))
    measured = [row for row in rows if "error" not in row]
    print(f"{len(measured)} rows, {len(rows) - len(measured)} refused by torch, {left_out} not reached")
    return bool(measured)


def step_table(parts):
    """Duel's iterations beside PyTorch's best mode."""
    steps, peer = parts.get("bench_step", {}).get("data") or [], parts.get("peer", {}).get("data") or []
    lines = []
    for row in steps:
        if "error" in row:
            continue
        same = [p for p in peer if "error" not in p and all(p[k] == row[k] for k in ("arch", "objective", "batch", "tf32"))]
        best = min(same, key=lambda p: p["ms_median"], default=None)
        beside = "-" if best is None else (f"{best['ms_median'] * 1e3:9.1f}  {best['mode'] + (' tuned' if best['tuned'] else ''):14s} "
                                           f"{best['ms_median'] / row['ms_median']:5.2f}x")
        lines.append(f"  {row['arch']:6s} {row['objective']:8s} {row['batch']:5d}  TF32 {'on ' if row['tf32'] else 'off'} "
                     f"{row['ms_median'] * 1e3:9.1f}  {beside}")
    return ["  iteration, us                             Duel    PyTorch  its best mode  PyTorch / Duel"] + lines if lines else []


def command_record(work, out, gpu, duel):
    work, parts = Path(work), {}
    for line in (work / "parts.tsv").read_text().splitlines() if (work / "parts.tsv").exists() else []:
        name, status, seconds, limit, what = line.split("\t")
        log = (work / (name + ".log")).read_text(errors="replace").strip().splitlines()
        part = {"what": what, "result": status, "seconds": int(seconds), "limit": int(limit), "said": log[-1] if log else ""}
        if status in ("failed", "timeout"):
            part["log"] = log[-40:]
        data = work / name / "data.json"
        if data.exists():
            try:
                part["data"] = json.loads(data.read_text())
            except ValueError:  # cut off by the part's limit
                part["data"] = None
        parts[name] = part

    def lines_of(command):
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip().splitlines()
        except (OSError, subprocess.TimeoutExpired):
            return []
    info = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines_of([duel, "info"]) if re.search(r"\S\s{2,}\S", line))
    smi = lines_of(["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit", "--format=csv,noheader"])
    record = {"what": "tests/gpu.sh", "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "gpu": gpu,
              "nvidia_smi": smi, "system": platform.platform(), "duel": info, "parts": parts}
    Path(out).write_text(json.dumps(record, indent=1) + "\n")

    print()
    for name, part in parts.items():
        print(f"{name:14s} {part['result']:8s} {part['seconds']:4d} s  {part['said'][:150]}")
    for line in step_table(parts):
        print(line)
    count = [sum(part["result"] == result for part in parts.values()) for result in ("passed", "failed", "timeout", "skipped")]
    print("{} passed, {} failed, {} beyond their time, {} skipped; record: {}".format(*count, out))
    return bool(parts)


COMMANDS = {name[len("command_"):]: function for name, function in list(globals().items()) if name.startswith("command_")}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        raise SystemExit(__doc__)
    raise SystemExit(0 if COMMANDS[sys.argv[1]](*sys.argv[2:]) else 1)
