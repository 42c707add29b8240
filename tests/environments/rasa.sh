#!/usr/bin/env bash
# Makes .venv-rasa, a real Rasa server, and .venv-rasa-sdk, a real action server with this package in it.
#
# Exit codes: 0 ready; 77 not to be had on this machine (one line on stderr says why); 1 anything else.
# Runs again at once when both stand. About 3 GB.
set -euo pipefail
cd "$(dirname "$0")/../.."

VENV=.venv-rasa
PINS=examples/rasa/requirements.txt
STAMP=$VENV/.ready-$(cksum <"$PINS" | cut -d' ' -f1)
SDK=3.21.1  # of rasa-sdk, whose pins do not fit the newest pydantic and websockets in .venv
SDK_VENV=.venv-rasa-sdk
SDK_STAMP=$SDK_VENV/.ready-$SDK-$(cksum <pyproject.toml | cut -d' ' -f1)
UNAVAILABLE=77

[ -e "$STAMP" ] && [ -e "$SDK_STAMP" ] && exit 0

unavailable() {
  echo "rasa: $1" >&2
  exit $UNAVAILABLE
}

uv=$(command -v uv || true)
[ -n "$uv" ] || [ ! -x .venv/bin/uv ] || uv=$PWD/.venv/bin/uv
# uv reads no pip.conf: a mirror that is set for pip serves uv too.
index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi

# make_venv FOLDER VERSION: the first Python of that version there is. A pyenv that has one without having chosen it
# answers the bare name with an error.
make_venv() {
  local candidate python=
  for candidate in "python$2" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$2".*/bin/python; do
    python=$("$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null) && break
  done
  [ -n "$python" ] || [ -z "$uv" ] || python=$("$uv" python find --no-project "$2" 2>/dev/null || true)
  [ -n "$python" ] || unavailable "there is no python$2 on the PATH"
  rm -rf "$1"
  "$python" -m venv "$1"
}

# install FOLDER PACKAGES...
install() {
  local py=$PWD/$1/bin/python log=$1/install.log
  shift
  if [ -n "$uv" ]; then set -- "$uv" pip install --python "$py" "$@"; else set -- "$py" -m pip install "$@"; fi
  "$@" --quiet 2>"$log" || unavailable "it cannot be installed: $(grep -v '^ *$' "$log" | head -3 | tr -s '\n ' ' ')"
}

if [ ! -e "$STAMP" ]; then
  make_venv "$VENV" 3.10
  install "$VENV" -r "$PINS"
  # Bytecode beforehand: the first start would spend a minute on it.
  "$VENV/bin/python" -m compileall -q -j 2 "$VENV/lib" >/dev/null 2>&1 || true
  "$VENV/bin/python" -m rasa --version >/dev/null 2>"$VENV/import.log" ||
    unavailable "it does not start: $(tail -1 "$VENV/import.log")"
  touch "$STAMP"
fi
if [ ! -e "$SDK_STAMP" ]; then
  make_venv "$SDK_VENV" 3.11
  install "$SDK_VENV" -e '.[embedded]' "rasa-sdk==$SDK"
  "$SDK_VENV/bin/python" -c 'import empathy_r1.integrations.rasa.sdk' 2>"$SDK_VENV/import.log" ||
    unavailable "rasa-sdk $SDK does not go with this package: $(tail -1 "$SDK_VENV/import.log")"
  touch "$SDK_STAMP"
fi
