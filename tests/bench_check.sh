#!/usr/bin/env bash
# bench_check.sh DUEL: duel bench kernels --check, at sizes that stay in the caches and outweigh a call. 77 (skipped) where DUEL was compiled for a CPU that this one is not.
set -euo pipefail
case $1 in
  *avx2*) grep -qw avx2 /proc/cpuinfo 2>/dev/null && grep -qw fma /proc/cpuinfo || exit 77 ;;
esac
exec "$1" bench kernels --check --quick --device cpu --threads 1 --min-size 256K --max-size 1M
