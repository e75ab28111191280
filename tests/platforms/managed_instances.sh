# Runs a function as Lambda's managed instances do: managed_instances.sh BOOTSTRAP EMULATOR ARGUMENTS-OF-THE-EMULATOR
#
# AWS's code takes this mode from nowhere but /var/task/bootstrap: it gets a /var of its own in a namespace of its own.
set -eu
if [ "$(id -u)" = 0 ]; then
  own=(unshare --mount)
else
  own=(unshare --mount --user --map-root-user)
fi
"${own[@]}" true || {
  echo "error: a mount namespace is needed and was refused: run these tests as root (sudo -E make test-platforms), or allow unprivileged user namespaces" >&2
  exit 1
}
exec "${own[@]}" /bin/bash -euc '
  mount -t tmpfs none /var
  mkdir /var/task
  cp "$1" /var/task/bootstrap
  cd /var/task
  emulator=$2
  shift 2
  exec "$emulator" "$@" /var/task/bootstrap
' managed "$@"
