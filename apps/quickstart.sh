#!/usr/bin/env bash
# quickstart.sh: from a Debian 12 machine to generated digits. Installs what is missing, builds, trains a GAN with a live
# progress bar and prints where the picture is. Arguments are passed on to `duel train`, e.g. --steps 3000; they win over
# apps/quickstart.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash apps/install_packages.sh
cmake --preset default -DDUEL_TESTS=OFF | grep '^-- Duel:' >&2 || true
cmake --build --preset default --target duel  # 5 minutes of a core and more
# Narrower than the paper's DCGAN: on a CPU, many steps of a small network draw better digits than few of a large one.
exec build/duel train --config apps/quickstart.json "$@"
