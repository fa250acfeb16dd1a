#!/usr/bin/env python3
"""Times Duel's training iteration beside PyTorch's, in turns, on the same cores of the same machine.

usage: bench_step.py [--python PYTHON_WITH_TORCH] [--duel build/duel] [--rounds 3] [--seconds 4] [--out results.json]
                     [--arch mlp dcgan resnet sagan stylegan2 r3gan] [--objective ns-gan wgan-gp] [--batch 64 256] [--threads 1 2] [--compile] [--cpu-time]
                     [--networks [sagan resnet conditional stylegan dcgan64]]

Each row (arch, objective, batch, threads) runs Duel and every PyTorch mode once per round, one after the other; a mode's
figure is the median of its rounds. PyTorch's best mode of eager, eager tuned, both with channels_last (convolutions), and
with --compile torch.compile of each, is what Duel is compared with. --networks times the five networks of torch_nets.py and
networks.cpp (target duel_networks, a build with -DDUEL_TESTS=ON) instead. --cpu-time compares the processes' CPU seconds, which a busy neighbour disturbs
less. Both sides must have as many parameters, and the five networks the same losses and gradients. Prints a Markdown table
and writes all figures as JSON.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NETWORKS = ["sagan", "resnet", "conditional", "stylegan", "dcgan64"]


def fail(what):
    sys.exit(f"bench_step.py: {what}")


def run(command, threads):
    """The last line of its output as JSON; what it said where that is none."""
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:threads])
    done = subprocess.run(["taskset", "-c", cores, *map(str, command)], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    try:
        row = json.loads(lines[-1]) if done.returncode == 0 else {}
    except (IndexError, ValueError):
        row = {}
    if "error" in row or "ms_median" not in row:
        said = row.get("error") or (done.stderr.strip().splitlines() or [f"status {done.returncode}, no output"])[-1]
        return {"error": f"{' '.join(map(str, command))}: {said}"}
    return row


def version_of(python):
    try:
        done = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True)
    except OSError as error:
        fail(f"--python {python}: {error.strerror}")
    if done.returncode:
        fail(f"--python {python} has no torch ({(done.stderr.strip().splitlines() or ['it fails'])[-1]}); "
             "pip install torch, or name an interpreter that has it")
    return done.stdout.strip()


def same_numbers(args, net):
    """The same weights and inputs must give PyTorch's losses and gradient norms."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, net + ".safetensors")
        for command in ([args.python, HERE / "torch_nets.py", net, "--save", file], [args.duel_networks, net, "--check", file]):
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            if done.returncode:
                fail(f"{' '.join(map(str, command))}: {'; '.join((done.stderr or done.stdout).strip().splitlines()[-4:])}")


def workloads(args):
    """Per row: its cells, threads, Duel's command, and PyTorch's by mode."""
    if args.networks is not None:
        for net in args.networks or NETWORKS:
            same_numbers(args, net)
            for threads in args.threads:
                timing = ["--threads", threads, "--seconds", args.seconds]
                modes = {"eager": [], "channels-last": ["--channels-last"]}
                yield ({"network": net, "threads": threads}, [args.duel_networks, net, *timing],
                       {mode: [args.python, HERE / "torch_nets.py", net, *timing, *more] for mode, more in modes.items()})
        return
    for arch in args.arch:
        for objective in args.objective:
            for batch in args.batch:
                for threads in args.threads:
                    modes = {"eager": [], "tuned": ["--tuned", "on"]}
                    if arch != "mlp":
                        modes |= {(mode + " channels-last").removeprefix("eager "): more + ["--channels-last", "on"]
                                  for mode, more in modes.items()}
                    if args.compile and objective == "ns-gan":  # torch.compile refuses double backward
                        modes |= {(mode + " compiled").removeprefix("eager "): more + ["--mode", "compile"]
                                  for mode, more in modes.items()}
                    same = ["--arch", arch, "--objective", objective, "--batch", batch, "--threads", threads, "--seconds", args.seconds]
                    yield ({"network": arch, "objective": objective, "batch": batch, "threads": threads},
                           [args.duel, "bench", "step", "--device", "cpu", "--json", *same],
                           {mode: [args.python, args.peer, *same, *more] for mode, more in modes.items()})


def measure(cells, ours, modes, args):
    key = "ms_cpu" if args.cpu_time else "ms_median"
    duel, torch, counts, errors = [], {mode: [] for mode in modes}, set(), []
    for _ in range(args.rounds):
        for mode, command in modes.items():
            for name, what, times in (("PyTorch", command, torch[mode]), ("Duel", ours, duel)):
                row = run(what, cells["threads"])
                if "error" in row:
                    if name == "Duel":
                        fail(row["error"])
                    errors.append(row["error"])
                    continue
                times.append(row[key])
                counts.add((row["parameters_g"], row["parameters_d"]))
    medians = {mode: statistics.median(times) for mode, times in torch.items() if len(times) == args.rounds}
    if not medians:
        fail(f"no mode of PyTorch ran; {errors[0]}")
    if len(counts) > 1:
        fail(f"{cells}: not the same networks: parameters of G and D {sorted(counts)}")
    best = min(medians, key=medians.get)
    mine = statistics.median(duel)
    print(f"| {' | '.join(map(str, cells.values()))} | {mine:.1f} | {medians[best]:.1f} | {best} | {medians[best] / mine:.2f} |", flush=True)
    return {**cells, "duel_ms": duel, "torch_ms": torch, "best": best, "ratio": medians[best] / mine, "errors": errors}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=HERE / "torch_gan.py")
    parser.add_argument("--python", default="python3")
    parser.add_argument("--duel", default="build/duel")
    parser.add_argument("--duel-networks", default="build/tests/duel_networks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="that one measurement takes, at least")
    parser.add_argument("--out")
    parser.add_argument("--arch", nargs="+", default=["mlp", "dcgan"])
    parser.add_argument("--objective", nargs="+", default=["ns-gan", "wgan-gp"])
    parser.add_argument("--batch", nargs="+", type=int, default=[64, 256])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS)
    args = parser.parse_args()
    if not Path(args.peer).is_file():
        fail(f"--peer {args.peer}: no such file; the default is {HERE / 'torch_gan.py'}")
    program, target = (args.duel, "duel_command") if args.networks is None else (args.duel_networks, "duel_networks")
    if not os.access(program, os.X_OK):
        fail(f"{program}: no such program; build the target {target}, or name it by --{'duel' if args.networks is None else 'duel-networks'}")
    if args.out and not Path(args.out).resolve().parent.is_dir():
        fail(f"--out {args.out}: there is no folder {Path(args.out).resolve().parent}")
    torch = version_of(args.python)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    record = {"cpu": cpu, "cores": os.cpu_count(), "torch": torch, "date": str(datetime.date.today()),
              "time": "CPU" if args.cpu_time else "wall", "rows": []}
    titles = None
    for cells, ours, modes in workloads(args):
        if titles is None:
            titles = [*cells, "Duel, ms", "PyTorch, ms", "its best mode", "PyTorch / Duel"]
            print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|", flush=True)
        record["rows"].append(measure(cells, ours, modes, args))
        if args.out:  # what is measured is kept whatever happens next
            Path(args.out).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
