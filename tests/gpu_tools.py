#!/usr/bin/env python3
"""What tests/gpu.sh computes: comparisons of files, rows of benchmarks, and the record. Standard library only.

gpu_tools.py machine OUT GPU DUEL           what the record says of the machine
gpu_tools.py folders                        this interpreter's wheels: DUEL_CUBLAS=FOLDER and DUEL_CUDNN=FOLDER, where they are
gpu_tools.py record WORK OUT                the results so far as one JSON file
gpu_tools.py table OUT                      the same as text
gpu_tools.py rows JSON COMMAND…             runs a command whose lines are JSON and keeps each when it comes, after those there
gpu_tools.py ncu JSON CSV…                  kernels and their times from Nsight Compute's tables
gpu_tools.py distance BOUND NAME A B …      checkpoints A and B: relative distance of their networks' tensors below BOUND
gpu_tools.py values A B                     kernel outputs of duel_kernel_values: how far apart
gpu_tools.py kernels JSON                   one line about a report of duel bench kernels
"""
import array
import csv
import datetime
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import struct
import subprocess
import sys
from pathlib import Path


def write(path, value):
    """All of it or nothing: whoever looks meanwhile finds the value before."""
    part = Path(f"{path}.part")
    part.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(part, path)


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
    write("data.json", {"bound": bound, "distance": {k: v if math.isfinite(v) else None for k, v in rows.items()}})
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
        rounded = " tf32 " in name  # factors of 11 bits against those of 24, or sums of another unit
        if not rounded:
            worst = max(worst, error)
        if not error <= (2e-3 if rounded else 1e-5 if kind == "f" else 1e-12):
            bad.append(f"{name} {error:.1e}")
    write("data.json", {"outputs": len(a), "equal_bits": equal, "worst_relative": worst if math.isfinite(worst) else None, "bad": bad})
    print(("too far apart: " + ", ".join(bad[:5]) + "; " if bad else "") +
          f"{equal} of {len(a)} outputs equal bit for bit, the others within {worst:.1e} of their largest value")
    return not bad


def command_kernels(path):
    report = json.loads(Path(path).read_text())
    rows = report["results"]
    large = [row for row in rows if row["bytes"] >= 64 << 20]
    memory_bound = [row for row in large if row["family"] in ("elementwise", "losses", "optimizers", "sample_norm")]
    if not rows:
        print("nothing was measured")
        return False
    slow = sorted(memory_bound, key=lambda row: row["copy_percent"])[:3]
    print(f"{len(rows)} rows, {len(report['skipped'])} not measured; below 90 % of copy at 64 MB and more: "
          f"{sum(row['copy_percent'] < 90 for row in memory_bound)} of {len(memory_bound)}; lowest: " +
          ", ".join(f"{row['name']} {row['copy_percent']:.0f} %" for row in slow))
    return True


def row_text(row):
    if row.get("bench") == "nodes":
        return f"{row['work']}, branches {row['branches']}: {row['us_per_node']:.2f} us a node"
    if row.get("bench") == "graph":
        return f"{row['arch']} {row['objective']} {row['batch']}: {row['nodes']} nodes, {row['critical_path']} in a row, model {row['model_us']:.0f} us"
    how = (" own kernels" if row.get("library") == "own" else "") + (" started early" if row.get("early_launch") else "")
    return f"{row['arch']} {row['objective']} {row['batch']} TF32 {'on' if row['tf32'] else 'off'}{how}: {row['ms_median'] * 1e3:.0f} us"


def command_rows(path, *command):
    rows = json.loads(Path(path).read_text()) if Path(path).exists() else []
    before = len(rows)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # its errors are in the part's log
    for line in running.stdout:
        try:
            rows.append(json.loads(line))
        except ValueError:
            print(line, end="")
            continue
        write(path, rows)
    status = running.wait()
    measured = [row for row in rows[before:] if "error" not in row]
    refused = [row["error"] for row in rows[before:] if "error" in row]
    said = [f"status {status} after {len(measured)} rows"] if status else []
    said += [f"{len(refused)} refused: {refused[0]}"] if refused else []
    said += [row_text(row) for row in measured[:8]]
    print("; ".join(said) or "no row")
    return status == 0 and bool(measured)


def command_ncu(path, *tables):
    """Rows per program and kernel: how often in three iterations, median and total time."""
    rows, unit = [], {"ns": 1e-3, "nsecond": 1e-3, "us": 1, "usecond": 1, "ms": 1e3, "msecond": 1e3}
    for table in tables:
        lines = [line for line in Path(table).read_text(errors="replace").splitlines() if line.startswith('"')]
        times = {}
        for line in csv.DictReader(lines):
            if line.get("Metric Name") == "gpu__time_duration.sum" and line.get("Metric Unit") in unit:
                value = float(line["Metric Value"].replace(",", "")) * unit[line["Metric Unit"]]
                times.setdefault(line["Kernel Name"], []).append(value)
        rows += [{"program": Path(table).stem, "kernel": name, "launches": len(each), "us_median": statistics.median(each), "us_total": sum(each)}
                 for name, each in sorted(times.items(), key=lambda item: -sum(item[1]))]
    write(path, rows)
    said = []
    for table in tables:
        own = [row for row in rows if row["program"] == Path(table).stem]
        if not own:
            print(f"{table}: ncu measured nothing: {Path(table).read_text(errors='replace').strip().splitlines()[-1:]}")
            return False
        most = ", ".join(f"{row['kernel'][:40]} {row['us_total']:.0f}" for row in own[:3])
        said.append(f"{Path(table).stem}: {sum(row['launches'] for row in own)} kernels, {sum(row['us_total'] for row in own):.0f} us in three "
                    f"iterations, most in {most}")
    print("; ".join(said))
    return True


def command_folders():
    spec = importlib.util.find_spec("nvidia")
    for name, library in (("DUEL_CUBLAS", "libcublasLt.so.*"), ("DUEL_CUDNN", "libcudnn.so.*")):
        found = [file for root in (spec.submodule_search_locations if spec else []) for file in sorted(Path(root).glob("*/lib/" + library))]
        if found:
            print(f"{name}={found[-1].parent}")
    return True


def mode_of(row):
    return row["mode"] + " tuned" * row["tuned"] + " channels-last" * row["channels_last"]


def step_table(parts):
    """Duel's iterations beside PyTorch's best mode, their graphs' nodes and what the model says."""
    steps, peer, graphs = ([row for name in names for row in parts.get(name, {}).get("data") or [] if "error" not in row]
                           for names in (("bench_step", "bench_step_all"), ("peer", "peer_all"), ("bench_graph",)))
    lines = []
    for row in steps:
        same = [p for p in peer if all(p[k] == row[k] for k in ("arch", "objective", "batch", "tf32"))]
        graph = next((g for g in graphs if row["tf32"] and all(g[k] == row[k] for k in ("arch", "objective", "batch"))), None)
        best = min(same, key=lambda p: p["ms_median"], default=None)
        beside = f"{'-':>9s}  {'':22s} {'':6s}" if best is None else (f"{best['ms_median'] * 1e3:9.1f}  {mode_of(best):22s} "
                                                                      f"{best['ms_median'] / row['ms_median']:5.2f}x")
        beside += f"  {graph['nodes']:5d} {graph['critical_path']:5d} {graph['model_us']:9.1f}" if graph else ""
        lines.append(f"  {row['arch']:6s} {row['objective']:8s} {row['batch']:5d}  TF32 {'on ' if row['tf32'] else 'off'} "
                     f"{row['ms_median'] * 1e3:9.1f}  {beside}")
    head = "  iteration, us                             Duel    PyTorch  its best mode           / Duel  nodes chain     model"
    return [head] + [line.rstrip() for line in lines] if lines else []


def command_machine(out, gpu, duel):
    def lines_of(command):
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip().splitlines()
        except (OSError, subprocess.TimeoutExpired):
            return []
    info = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines_of([duel, "info"]) if re.search(r"\S\s{2,}\S", line))
    smi = lines_of(["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit", "--format=csv,noheader"])
    write(out, {"what": "tests/gpu.sh", "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "gpu": gpu,
                "nvidia_smi": smi, "system": platform.platform(), "duel": info})
    return True


def command_record(work, out):
    work, parts = Path(work), {}
    for name in (work / "order").read_text().split():
        result = work / name / "result.tsv"
        if not result.exists():
            continue
        name, status, seconds, limit, what = result.read_text().rstrip("\n").split("\t")
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
    write(out, {**json.loads((work / "machine.json").read_text()), "parts": parts})
    return bool(parts)


def command_table(out):
    parts = json.loads(Path(out).read_text())["parts"] if Path(out).exists() else {}
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
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        raise SystemExit(__doc__)
    raise SystemExit(0 if COMMANDS[sys.argv[1]](*sys.argv[2:]) else 1)
