#!/usr/bin/env bash
# make.sh RUN [DUEL]: the three pictures on README.md's first screen, from the quickstart's run: its last samples, the head of its report and
# the head of gallery.png (`duel lab gallery`, gan/lab/README.md). Needs chromium.
set -euo pipefail
run=$(realpath "$1")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
duel=$(realpath "${2:-$here/../../build/duel}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

shot() {  # shot PAGE PICTURE WIDTH,HEIGHT
  chromium --headless --no-sandbox --hide-scrollbars --user-data-dir="$work/profile" --window-size="$3" --virtual-time-budget=4000 \
    --screenshot="$work/shot.png" "file://$1" 2>/dev/null
  mv "$work/shot.png" "$2"
}

samples=("$run"/samples/fakes_*.png)
cp "${samples[-1]}" "$here/digits.png"
"$duel" plot "$run" >/dev/null
shot "$run/report.html" "$here/report.png" 1200,1240
printf '<body style="margin:0"><img src="file://%s/gallery.png">' "$here" >"$work/gallery.html"
shot "$work/gallery.html" "$here/gallery-top.png" 1182,1182
