#!/usr/bin/env bash
# kernel_values_check.sh VALUES VALUES_SIMT: the kernels under the harness against the host loops, through the same files and the
# same comparison that tests/gpu.sh uses for a GPU; and a value that is changed must be noticed.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/gpu_tools.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
values=$(realpath "$1") simt=$(realpath "$2")
cd "$work"
"$values" host.values --host
"$simt" simt.values
python3 "$tools" values simt.values host.values
# The exponent of the last element of the last output.
python3 -c 'd = bytearray(open("host.values", "rb").read()); d[-1] ^= 8; open("wrong.values", "wb").write(d)'
! python3 "$tools" values simt.values wrong.values || { echo "a changed value was not noticed"; exit 1; }
