#!/bin/sh
# Sees to a redis-server for the tests of the Redis store: the one that is there, or Debian's, installed where that is allowed.
# Where it is not, it says so and the tests are skipped; nothing else needs it. The tests start servers of their own.
set -eu

if command -v redis-server >/dev/null; then exit; fi
skipped="so the tests of the Redis store are skipped"
if ! command -v apt-get >/dev/null; then
    echo "there is no redis-server here, and no apt-get to install it with: install Redis 7 or newer; $skipped" >&2
    exit
fi
if test "$(id -u)" -ne 0; then
    echo "there is no redis-server here, and only root may install it: sudo apt-get install redis-server; $skipped" >&2
    exit
fi
echo "installing Debian's redis-server"
# The run level keeps Debian from starting one for the machine.
if ! { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends redis-server >/dev/null; }; then
    echo "redis-server could not be installed, $skipped" >&2
fi
