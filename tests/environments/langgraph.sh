#!/usr/bin/env bash
# Makes .venv-langgraph: LangGraph's own development server with this package in it, in an environment of its own.
#
# Exit codes: 0 ready; 77 not to be had on this machine (one line on stderr says why); 1 anything else.
# Runs again at once when it stands. About 0.5 GB.
set -euo pipefail
cd "$(dirname "$0")/../.."

VERSION=0.4.40  # of langgraph-cli, whose server's pins do not fit those of .venv
VENV=.venv-langgraph
STAMP=$VENV/.ready-$VERSION-$(cksum <pyproject.toml | cut -d' ' -f1)
UNAVAILABLE=77

[ -e "$STAMP" ] && exit 0

unavailable() {
  echo "langgraph: $1" >&2
  exit $UNAVAILABLE
}

[ -x .venv/bin/python ] || unavailable "there is no .venv; make it with: make check"
rm -rf "$VENV"
.venv/bin/python -m venv "$VENV"

# uv reads no pip.conf: a mirror that is set for pip serves uv too.
index=$("$VENV/bin/python" -m pip config get global.index-url 2>/dev/null || true)
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
if [ -x .venv/bin/uv ]; then install=(.venv/bin/uv pip install --python "$VENV/bin/python"); else install=("$VENV/bin/python" -m pip install); fi
"${install[@]}" --quiet -e '.[embedded]' "langgraph-cli[inmem]==$VERSION" 2>"$VENV/install.log" ||
  unavailable "it cannot be installed: $(grep -v '^ *$' "$VENV/install.log" | head -3 | tr -s '\n ' ' ')"
touch "$STAMP"
