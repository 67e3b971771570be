#!/bin/sh
# Stands in for docker: /run/containers.json has what `docker inspect` prints; without it there is no container, and with
# /run/docker-is-down the daemon does not answer. The shape of what it prints is held against the real docker by
# tests/real/test_published.py.
set -eu
[ ! -e /run/docker-is-down ] || { echo "Cannot connect to the Docker daemon at unix:///run/docker.sock." >&2; exit 1; }
case "$1" in
ps) [ ! -e /run/containers.json ] || echo 0123456789abcdef ;;
inspect) cat /run/containers.json ;;
*) exit 2 ;;
esac
