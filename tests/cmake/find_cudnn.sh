#!/usr/bin/env bash
# find_cudnn.sh ROOT: FindCUDNN.cmake in seven fake worlds: one per layout, one with two of them, and an empty one.
set -euo pipefail

root=$1
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT

tree() {  # tree INCLUDE VERSION LIBRARY: a header and, where named, a library
  mkdir -p "$world/$1"
  local major minor patch
  IFS=. read -r major minor patch <<<"$2"
  printf '#define CUDNN_MAJOR %s\n#define CUDNN_MINOR %s\n#define CUDNN_PATCHLEVEL %s\n' "$major" "$minor" "$patch" >"$world/$1/cudnn_version.h"
  if [ -n "${3:-}" ]; then
    mkdir -p "$(dirname "$world/$3")"
    touch "$world/$3"
  fi
}
look() {  # look [NAME=VALUE…] [-D…]: the search with nothing else in the environment
  local settings=() options=()
  for word in "$@"; do
    case $word in -D*) options+=("$word") ;; *) settings+=("$word") ;; esac
  done
  # A python3 without packages, so that this machine's own are not found.
  mkdir -p "$world/bin"
  printf '#!/bin/sh\necho "%s"\n' "$world/nothing" >"$world/bin/python3"
  chmod +x "$world/bin/python3"
  env -i PATH="$world/bin:/usr/bin:/bin" "${settings[@]}" cmake -DROOT="$root" -DCUDNN_SYSTEM_PREFIX="$world" "${options[@]}" \
    -P "$root/tests/cmake/find_cudnn_case.cmake" 2>&1
}
expect() {  # expect WHAT OUTPUT TEXT…
  local what=$1 output=$2
  shift 2
  for text in "$@"; do
    grep -qF -- "$text" <<<"$output" || { echo "$what: expected '$text' in: $output"; exit 1; }
  done
}

expect "nothing" "$(look)" "layout= version= " "Could NOT find CUDNN" "set CUDNN_ROOT"

tree venv/lib/python3.11/site-packages/nvidia/cudnn/include 9.19.0 venv/lib/python3.11/site-packages/nvidia/cudnn/lib/libcudnn.so.9
expect "pip, VIRTUAL_ENV" "$(look VIRTUAL_ENV="$world/venv")" layout=pip version=9.19.0 cudnn/lib/libcudnn.so.9
python() { printf '#!/bin/sh\necho "%s"\n' "$world/venv/lib/python3.11/site-packages" >"$world/bin/python3"; }
expect "pip, python3 on PATH" "$(python; env -i PATH="$world/bin:/usr/bin:/bin" cmake -DROOT="$root" -DCUDNN_SYSTEM_PREFIX="$world" \
  -P "$root/tests/cmake/find_cudnn_case.cmake" 2>&1)" layout=pip version=9.19.0

tree conda/targets/x86_64-linux/include 9.10.2 conda/targets/x86_64-linux/lib/libcudnn.so
expect "conda before pip" "$(look CONDA_PREFIX="$world/conda" VIRTUAL_ENV="$world/venv")" layout=conda version=9.10.2 \
  targets/x86_64-linux/lib/libcudnn.so

tree usr/include/x86_64-linux-gnu 9.12.0 usr/lib/x86_64-linux-gnu/libcudnn.so.9
expect "system before conda" "$(look CONDA_PREFIX="$world/conda")" layout=system version=9.12.0 lib/x86_64-linux-gnu/libcudnn.so.9

tree toolkit/include 9.8.0 toolkit/lib64/libcudnn.so
expect "toolkit before system" "$(look -DCUDAToolkit_ROOT="$world/toolkit")" layout=toolkit version=9.8.0 toolkit/lib64/libcudnn.so
expect "toolkit by CUDA_HOME" "$(look CUDA_HOME="$world/toolkit")" layout=toolkit version=9.8.0

tree own/include 10.1.3 own/lib/libcudnn.so.10
expect "CUDNN_ROOT before all" "$(look -DCUDNN_ROOT="$world/own" CUDA_HOME="$world/toolkit")" layout=root version=10.1.3 libcudnn.so.10
expect "CUDNN_PATH in the environment" "$(look CUDNN_PATH="$world/own")" layout=root version=10.1.3

tree headers/include 9.1.0
expect "headers alone" "$(look CUDNN_ROOT="$world/headers")" layout=root version=9.1.0 library=library-NOTFOUND
echo "FindCUDNN: every layout found"
