#!/bin/sh
# Bring .venv to what a folder's requirements.lock says: environment.sh sandbox|tests|benchmarks.
#
# .venv/installed has a line for each lock file that is installed whole. It is away while packages are
# installed, so that an interrupted set-up is noticed: uv takes half a package for a whole one.
set -eu
cd "$(dirname "$0")/.."
folder=$1
new=.venv.new
boot=$new/uv

main() {
  current && return
  refuse_python
  acquire
  current && return  # another make did it
  if usable; then
    uv=.venv/bin/uv
    pip=.venv/bin/python
    rm .venv/installed
    doing="Installing $folder/requirements.lock"
    install .venv
  else
    [ ! -e .venv ] || echo "Making .venv again: ${why:-its last set-up was interrupted}"
    find_uv
    find_python
    doing="Setting up .venv with $(version "$python")"
    run "$uv" venv --relocatable --python "$python" "$new/venv" || fail "uv cannot make .venv ($(told)): mend that and try again."
    install "$new/venv"
    rm -rf .venv
    mv "$new/venv" .venv
  fi
}

# -- what is there --------------------------------------------------------------------------------------

current() {
  usable && grep -qxF "$(sums "$folder" | tail -n 1)" .venv/installed
}

usable() {
  [ -e .venv/installed ] || return
  [ -x .venv/bin/python ] || { why="its Python is gone" && return 1; }
  [ "${PYTHON-}" ] || return 0
  is=$(version .venv/bin/python)
  [ "$is" = "$(version "$PYTHON")" ] || { why="it has $is" && return 1; }
}

# The sums of a folder's lock file and of those that it holds.
sums() {
  for each in sandbox tests benchmarks; do
    echo "$each $(cksum <"$each/requirements.lock")"
    [ "$each" != "$1" ] || break
  done
}

# As in "CPython 3.11"; nothing where it is no Python that starts.
version() {
  code='import platform as p, sys; print("%s %d.%d" % ((p.python_implementation(),) + sys.version_info[:2]))'
  "$1" -c "$code" </dev/null 2>/dev/null | head -n 1 | grep -E '^[A-Za-z]+ [0-9]+\.[0-9]+$' || true
}

fits() {
  case $1 in "CPython 3.10" | "CPython 3.11" | "CPython 3.12") ;; *) return 1 ;; esac
}

# Before anything is touched: the Python that the user names must fit.
refuse_python() {
  [ -z "${PYTHON-}" ] || fits "$(version "$PYTHON")" || fail \
    "PYTHON=$PYTHON is $(version "$PYTHON" | grep . || echo no Python that starts), and mage-ai $(pin mage-ai)" \
    "is made for CPython 3.10 to 3.12: name one of these, or leave PYTHON out."
}

# -- what is got ----------------------------------------------------------------------------------------

# A Python of the user's, else one that is here, else one from uv.
find_python() {
  if [ "${PYTHON-}" ]; then
    python=$PYTHON
  elif fits "$(version python3)"; then
    python=$(command -v python3)
  else
    python=$("$uv" python find --system --no-python-downloads 'cpython>=3.10,<3.13' 2>/dev/null) || download
  fi
}

download() {
  said="UV_OFFLINE is set"
  [ -z "${UV_OFFLINE-}" ] && {
    echo "No Python 3.10, 3.11 or 3.12 is here: downloading CPython 3.11 (30 MB; uv keeps it)"
    run "$uv" python install --no-bin 3.11
  } || fail "No Python 3.10, 3.11 or 3.12 is here, and none can be downloaded ($(told)): name one by PYTHON=..., or use Docker (make up)."
  python=$("$uv" python find --managed-python 3.11)
}

# uv by pip, for there is a Python nearly everywhere; else the one that is installed, whatever its version.
find_uv() {
  mkdir -p "$new"
  case $PWD in *:*) boot=$(mktemp -d) ;; esac  # venv refuses to be there
  for starter in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.10; do
    "$starter" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))' </dev/null >/dev/null 2>&1 || continue
    said=$("$starter" -m venv "$boot" 2>&1) || fail "$starter cannot make a virtual environment here ($(told)): is the disk full?"
    uv=$boot/bin/uv
    pip=$boot/bin/python
    said=$("$pip" -m pip install --quiet --no-input --retries 2 --only-binary :all: "uv==$(pin uv)" 2>&1) || fail \
      "pip cannot get uv ($(told)): check the network, the proxy and the index of pip's settings, or use Docker (make up)."
    return
  done
  pip=
  uv=$(command -v uv) || fail \
    "Neither uv nor a Python 3.8 or later with venv is here: install one (Debian: apt-get install python3-venv)."
}

# The version that the lock file holds.
pin() {
  sed -n "s/^$1==\([^ ;]*\).*/\1/p" sandbox/requirements.lock | head -n 1
}

install() {
  echo "$doing (once; about a minute)"
  [ -z "$pip" ] || as_pip
  with_bar "$1" run "$uv" pip install --compile-bytecode --python "$1/bin/python" -r "$folder/requirements.lock" || fail \
    "The packages cannot be installed ($(told)): mend that and try again, or use Docker (make up)."
  cp -R setup/stand_ins/. "$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  "$1/bin/python" -m compileall -q data sandbox || true  # some environments forbid it while running
  sums "$folder" >"$1/installed"
}

# uv does not read pip's settings, and a company's index is often written there.
as_pip() {
  settings=$("$pip" -m pip config list 2>/dev/null) || return 0
  while read -r name variable; do
    value=$(echo "$settings" | sed -nE "s/^(global|install|:env:)\.$name='(.*)'$/\2/p" | tail -n 1 | sed 's/\\n/ /g')
    if [ "$value" ] && ! printenv "$variable" >/dev/null; then export "$variable=$value"; fi
  done <<-pairs
	index-url UV_DEFAULT_INDEX
	extra-index-url UV_INDEX
	trusted-host UV_INSECURE_HOST
	cert SSL_CERT_FILE
	proxy ALL_PROXY
	timeout UV_HTTP_TIMEOUT
	default-timeout UV_HTTP_TIMEOUT
	pairs
}

# -- how it is told, and one at a time ------------------------------------------------------------------

fail() {
  echo "$*" >&2
  exit 1
}

# What a program says is kept for the sentence.
run() {
  said=$("$@" 2>&1)
}

# Show on a terminal how far the packages of an environment are, while a command gets them.
with_bar() {
  environment=$1
  shift
  { [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; } || { "$@"; return; }
  bar "$environment" &
  bar=$!
  "$@" && failed= || failed=$?
  kill "$bar" 2>/dev/null && wait "$bar" 2>/dev/null || true
  printf '\r%60s\r' '' >&2
  return ${failed:-0}
}

# It counts what uv unpacks into its cache, and what is installed from there. How many there will be is
# known nearly: some lines of the lock file are for other machines.
bar() {
  unpacked=$("$uv" cache dir 2>/dev/null)/archive-v0
  all=$(awk -F== '/^[^ #]*==/ && !/win32/ && !seen[$1]++ {n++} END {print n}' "$folder/requirements.lock")
  cached=$(count "$unpacked"/*)
  there=$(count "$1"/lib/python*/site-packages/*.dist-info)
  while kill -0 $$ 2>/dev/null; do
    new=$(($(count "$unpacked"/*) - cached))
    installed=$(count "$1"/lib/python*/site-packages/*.dist-info)
    got=$((there + new))
    doing=
    [ "$installed" -lt "$got" ] || got=$installed
    [ "$installed" = "$there" ] || doing=', compiling them'
    full=$((got < all ? got * 30 / all : 30))
    printf '\r  [%s%s] %d packages%s ' "$(bars $full '#')" "$(bars $((30 - full)) ' ')" "$got" "$doing" >&2
    sleep 0.3
  done
}

count() {
  [ -e "$1" ] && echo $# || echo 0
}

bars() {
  printf "%$1s" '' | sed "s/ /$2/g"
}

# The last line of what a program said: the cause.
told() {
  echo "$said" | sed -nE '/^ *hint:/d; s/^ *((ERROR|error|Caused by|cause): )?(.*[^ ]) *$/\3/p' | tail -n 1
}

acquire() {
  waits=
  until ln -s $$ .venv.lock 2>/dev/null; do
    if ! owner=$(readlink .venv.lock); then
      [ -w . ] || fail "$PWD cannot be written: clone to a folder of your own."
    elif ! kill -0 "$owner" 2>/dev/null; then
      rm -f .venv.lock
      continue
    elif [ -z "$waits" ]; then
      waits=yes
      echo "Another make is setting up .venv: waiting for it"
    fi
    sleep 1
  done
  trap 'rm -rf "$new" "$boot" .venv.lock' EXIT
  trap 'exit 130' HUP INT TERM
  rm -rf "$new"
}

main
