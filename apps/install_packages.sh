#!/usr/bin/env bash
# install_packages.sh [PACKAGE…]: installs what Duel needs to build (and the named packages besides) on Debian, if it is
# missing. Needs root or sudo only when there is something to install.
set -euo pipefail
wanted=(g++ cmake ninja-build libcli11-dev nlohmann-json3-dev libstb-dev zlib1g-dev "$@")
missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing: ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "These packages are missing, and there is no sudo to install them: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
