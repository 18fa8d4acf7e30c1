#!/bin/sh
# Installs the Debian packages that the kernel lab needs, and only those whose command is missing.
set -eu

missing=''
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"; }
need ip iproute2
need ss iproute2
need nft nftables
need iptables iptables
need conntrack conntrack
need tcpdump tcpdump
need shellcheck shellcheck
need busybox busybox
need dash dash
need gawk gawk
need mawk mawk
need nsenter util-linux
# The lab's copy of the agent must be a plain binary in /usr/bin, not a version manager's shim.
[ -x /usr/bin/python3 ] || missing="$missing python3"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "missing:$missing" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
