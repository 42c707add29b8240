#!/usr/bin/env bash
# Makes the browser tier: Debian's Chromium with a Chinese font, Playwright with axe-core in .venv, and, in
# .cache/front-ends, the front ends of others that the tests open.
#
# Exit codes: 0 ready; 77 not to be had on this machine (one line on stderr says why); 1 anything else.
# Runs again at once when all stand. CHROMIUM=/path names a browser that is elsewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."

UNAVAILABLE=77
PACKAGES=("playwright>=1.60,<2" "axe-playwright-python>=0.1.8,<0.2")

FRONT_ENDS=(socket.io-client@3.1.3 socket.io-client@4.8.4 rasa-webchat@1.0.1 deep-chat@2.4.2)

unavailable() {
  echo "browser: $1" >&2
  exit $UNAVAILABLE
}

found() { [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null; }

if ! found; then
  command -v apt-get >/dev/null || unavailable "no chromium on the PATH; install it, or name it with CHROMIUM=/path"
  [ "$(id -u)" = 0 ] || unavailable "no chromium on the PATH; install it: apt-get install chromium fonts-noto-cjk"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk; } >/dev/null 2>&1 ||
    unavailable "Debian's chromium cannot be installed"
fi

py=$PWD/.venv/bin/python
[ -x "$py" ] || unavailable "there is no .venv; make it with: make check"
if ! "$py" -c 'import playwright, axe_playwright_python' 2>/dev/null; then
  if [ -x .venv/bin/uv ]; then
    index=${UV_DEFAULT_INDEX:-$("$py" -m pip config get global.index-url 2>/dev/null || echo https://pypi.org/simple)}
    UV_DEFAULT_INDEX=$index .venv/bin/uv pip install --quiet --python "$py" "${PACKAGES[@]}"
  else
    "$py" -m pip install --quiet "${PACKAGES[@]}"
  fi || unavailable "playwright cannot be installed"
fi

command -v npm >/dev/null || unavailable "there is no npm, which brings the front ends of others"
for package in "${FRONT_ENDS[@]}"; do
  folder=.cache/front-ends/$package
  [ -e "$folder/package.json" ] && continue
  mkdir -p "$folder"
  archive=$(cd "$folder" && npm pack --silent "$package" 2>/dev/null | tail -1)
  tar -xzf "$folder/$archive" -C "$folder" --strip-components 1 2>/dev/null || {
    rm -rf "$folder"
    unavailable "$package cannot be fetched with npm"
  }
  rm -f "$folder/$archive"
done
