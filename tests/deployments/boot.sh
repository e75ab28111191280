#!/bin/bash
# Boots a Debian with systemd as process 1, in control groups of its own: boot.sh ROOTFS NAME CGROUPS [arguments of systemd-nspawn]
set -eu
rootfs=$1 name=$2 cgroups=$3
shift 3
: >"$cgroups"
for controller in systemd unified memory cpu cpuacct pids; do
  [ -d "/sys/fs/cgroup/$controller" ] || continue
  case $controller in unified) key='' ;; systemd) key=name=systemd ;; *) key=$controller ;; esac
  own=$(awk -F: -v key="$key" '$2 == key { print $3 }' /proc/self/cgroup)
  [ "$own" = / ] && own=
  folder=/sys/fs/cgroup/$controller$own/$name
  mkdir -p "$folder"
  echo $$ >"$folder/cgroup.procs"
  echo "$folder" >>"$cgroups"
done
exec systemd-nspawn --quiet --directory="$rootfs" --machine="$name" --volatile=overlay --register=no --keep-unit \
  --console=pipe --kill-signal=SIGRTMIN+3 "$@" /sbin/init-writable systemd.log_target=journal-or-kmsg
