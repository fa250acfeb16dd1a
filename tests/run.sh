#!/usr/bin/env bash
# run.sh: installs what is missing (also oneDNN, which checks the own kernels), builds everything and runs every test through ctest. Works from any folder.
# Options are passed on to ctest, e.g. `tests/run.sh -R Penalty`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash apps/install_packages.sh libgtest-dev libdnnl-dev
cmake --preset ci >/dev/null
cmake --build --preset ci
exec ctest --preset ci --parallel "$(nproc)" --output-on-failure "$@"
