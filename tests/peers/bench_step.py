#!/usr/bin/env python3
"""Times Duel's training iteration beside PyTorch's, alternating, on the same cores of the same machine.

usage: bench_step.py --peer torch_gan.py [--python PYTHON_WITH_TORCH] [--duel build/duel] [--rounds 3] [--out results.json]
                     [--arch mlp dcgan] [--objective ns-gan wgan-gp] [--batch 64 256] [--threads 1 2] [--compile]

Each row (arch, objective, batch, threads) runs Duel and every PyTorch mode once per round, one after the other; a mode's
figure is the median of its rounds. PyTorch's best mode of eager, eager tuned, both with channels_last (convolutions), and
with --compile torch.compile of each, is what Duel is compared with. Prints a Markdown table and writes all figures as JSON.
"""
import argparse, datetime, json, os, platform, statistics, subprocess

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--peer', required=True)
parser.add_argument('--python', default='python3')
parser.add_argument('--duel', default='build/duel')
parser.add_argument('--rounds', type=int, default=3)
parser.add_argument('--seconds', type=float, default=4, help='about how long one measurement may take')
parser.add_argument('--out')
parser.add_argument('--arch', nargs='+', default=['mlp', 'dcgan'])
parser.add_argument('--objective', nargs='+', default=['ns-gan', 'wgan-gp'])
parser.add_argument('--batch', nargs='+', type=int, default=[64, 256])
parser.add_argument('--threads', nargs='+', type=int, default=[1, 2])
parser.add_argument('--compile', action='store_true')
args = parser.parse_args()


def run(command, threads):
    cores = ','.join(str(c) for c in sorted(os.sched_getaffinity(0))[:threads])
    done = subprocess.run(['taskset', '-c', cores] + command, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else {'error': done.stderr.strip().splitlines()[-1:]}


def duel(arch, objective, batch, threads, iterations):
    r = run([args.duel, 'bench', 'step', '--device', 'cpu', '--arch', arch, '--objective', objective, '--batch', str(batch), '--threads', str(threads),
             '--iterations', str(iterations), '--json'], threads)
    return r.get('ms_median'), r


def peer(arch, objective, batch, threads, iterations, mode):
    loss = {'ns-gan': 'ns'}.get(objective, objective)
    return run([args.python, args.peer, '--arch', arch, '--loss', loss, '--batch', str(batch), '--threads', str(threads),
                '--iters', str(iterations)] + mode, threads).get('ms_median')


def modes(arch, objective):
    eager = [[], ['--tuned']]
    if arch == 'dcgan':
        eager += [m + ['--channels-last'] for m in eager]
    # torch.compile refuses double backward, so that a penalty has no compiled row.
    return eager + ([m + ['--mode', 'compile'] for m in eager] if args.compile and objective == 'ns-gan' else [])


rows = []
print('| network | objective | batch | threads | Duel, ms | PyTorch, ms | its best mode | PyTorch / Duel |\n|---|---|---|---|---|---|---|---|')
for arch in args.arch:
    for objective in args.objective:
        for batch in args.batch:
            for threads in args.threads:
                rough = {'mlp': 8, 'dcgan': 250}[arch] * {'ns-gan': 1, 'wgan-gp': 4.5}[objective] * batch / 64 / threads
                iterations = max(5, int(args.seconds * 1000 / rough))
                ours, theirs, last = [], {}, {}
                for _ in range(args.rounds):
                    for mode in modes(arch, objective):
                        theirs.setdefault(' '.join(mode) or 'eager', []).append(peer(arch, objective, batch, threads, iterations, mode))
                        ms, last = duel(arch, objective, batch, threads, iterations)
                        ours.append(ms)
                medians = {m: statistics.median(v) for m, v in theirs.items() if None not in v}
                best = min(medians, key=medians.get)
                mine = statistics.median(ours)
                rows.append(dict(arch=arch, objective=objective, batch=batch, threads=threads, duel_ms=ours, torch_ms=theirs, best=best,
                                 ratio=medians[best] / mine, duel_memory={k: v for k, v in last.items() if 'peak' in k}))
                print(f'| {arch} | {objective} | {batch} | {threads} | {mine:.1f} | {medians[best]:.1f} | {best} | {medians[best] / mine:.2f} |', flush=True)
if args.out:
    cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), platform.processor())
    torch = subprocess.run([args.python, '-c', 'import torch; print(torch.__version__)'], capture_output=True, text=True).stdout.strip()
    with open(args.out, 'w') as f:
        json.dump(dict(cpu=cpu, cores=os.cpu_count(), torch=torch, date=str(datetime.date.today()), rows=rows), f, indent=1)
