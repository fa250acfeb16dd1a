#!/usr/bin/env bash
# format.sh ROOT: every source is as clang-format 14 (Debian 12's) makes it by .clang-format; 77 where there is none.
# `tests/format.sh ROOT -i` makes it so.
set -euo pipefail
cd "$1"
tool=$(command -v clang-format-14 || command -v clang-format) || { echo "no clang-format on this machine"; exit 77; }
[[ $("$tool" --version) == *"version 14."* ]] || { echo "$("$tool" --version): other versions format differently"; exit 77; }
find kernels core nn gan apps tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' |
  xargs "$tool" "${2:---dry-run}" -Werror
