#!/bin/sh
# Sees to a Chromium that the tests of the web page can drive: the one that is there, or Debian's, installed where that is allowed.
# EMOTIONAL_AI_CHROMIUM names another. Playwright brings none of its own here: its driver comes from PyPI with the dev extra.
set -eu

found=$(command -v "${EMOTIONAL_AI_CHROMIUM:-chromium}" || true)
if test -n "$found"; then exit; fi
if test -n "${EMOTIONAL_AI_CHROMIUM:-}"; then
    echo "EMOTIONAL_AI_CHROMIUM names $EMOTIONAL_AI_CHROMIUM, which is no program: name a Chromium or Chrome, or unset it" >&2
    exit 2
fi
if ! command -v apt-get >/dev/null; then
    echo "there is no chromium here, and no apt-get to install it with: install Chromium or Chrome," >&2
    echo "and name it: EMOTIONAL_AI_CHROMIUM=/path/to/it make browser" >&2
    exit 2
fi
if test "$(id -u)" -ne 0; then
    echo "there is no chromium here, and only root may install it: sudo apt-get install chromium," >&2
    echo "or name one: EMOTIONAL_AI_CHROMIUM=/path/to/it make browser" >&2
    exit 2
fi
echo "installing Debian's chromium"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null
