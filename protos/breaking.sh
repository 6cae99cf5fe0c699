#!/bin/sh
# Fails if the contract breaks a client of the one on main. Nothing to compare with outside a clone, or before the first commit.
set -eu
if ! git rev-parse --verify --quiet HEAD >/dev/null; then
    echo "contract: no commit to compare with"
    exit 0
fi
base=$(git rev-parse --verify --quiet origin/main || git rev-parse HEAD)
if ! git cat-file -e "$base:protos/emotional_ai/v1/engine.proto" 2>/dev/null; then
    echo "contract: it is new on this branch, nothing can break"
    exit 0
fi
exec buf breaking --against ".git#ref=$base"
