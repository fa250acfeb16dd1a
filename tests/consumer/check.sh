#!/usr/bin/env bash
# check.sh SOURCE BUILD WORK: installs BUILD, then builds and runs the consumer project against the installation and
# with Duel as a subdirectory. The path of WORK holds a space on purpose. Prints how long the consumer's file compiled.
set -euo pipefail
source_dir=$(realpath "$1") build_dir=$(realpath "$2") work="$(realpath -m "$3")/a user's project"
rm -rf "$work"
mkdir -p "$work"

cmake --install "$build_dir" --prefix "$work/prefix" >/dev/null
cmake -S "$source_dir/tests/consumer" -B "$work/installed" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
begin=$(date +%s%N)
cmake --build "$work/installed"
echo "consumer compiled and linked in $((($(date +%s%N) - begin) / 1000000)) ms"
"$work/installed/consumer"

# The subdirectory build compiles the library again: reuse the compiler cache where there is one.
cmake -S "$source_dir/tests/consumer" -B "$work/subdirectory" -DDUEL_SOURCE="$source_dir" -DCMAKE_BUILD_TYPE=Debug -DDUEL_CUDA=OFF >/dev/null
cmake --build "$work/subdirectory" --parallel 2 >/dev/null
"$work/subdirectory/consumer"
