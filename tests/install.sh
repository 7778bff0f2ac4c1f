#!/bin/sh
# Installs what the tests of clients that others wrote need, and says what it does:
#
#   curl, openssl, prlimit, python3, chromium and node with npm, by apt-get, where `command -v` does not find them,
#   libfaketime and postgresql, by apt-get, where no directory of /usr/lib has them,
#   a JDK and Maven, by apt-get, where `command -v` does not find javac, java and mvn,
#   the jars that clients/android is built on, below the target directory,
#   the Python package `websockets`, in a virtual environment below the target directory,
#   the npm packages of tests/external and tests/browser, in node_modules there,
#   mono (compiler, runtime, HTTP) for the Unity package, by apt-get.
#
# May run again at any time: what is there is left alone. Ends with 1 and a line that says what is
# missing where it may not install. The last line tells where the environment's Python is.
set -eu

WEBSOCKETS='websockets>=13,<18'
NODE_AT_LEAST=20

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
npm_projects='tests/external tests/browser'

say() { echo "install: $*"; }
fail() { echo "install: FAILED: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# The Rust toolchain is the one thing that is asked for and not installed.
has cargo || fail "there is no cargo: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later, with rustfmt and clippy"
cargo fmt --version >/dev/null 2>&1 || fail "there is no rustfmt: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || fail "there is no clippy: rustup component add clippy"

# System packages.
packages=
need() { packages="$packages $1"; }
has cc || need "gcc libc6-dev"
has curl || need curl
has openssl || need openssl
has prlimit || need util-linux
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || need faketime
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgresql
has setpriv || need util-linux
if ! has python3; then
    need python3
    need python3-venv
elif [ ! -x "$target/python/bin/python" ] && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    need python3-venv
fi
has mcs || need mono-mcs
has mono || need mono-runtime
ls /usr/lib/mono/4.5/System.Net.Http.dll >/dev/null 2>&1 || need libmono-system-net-http4.0-cil
has node || need nodejs
has npm || need npm
has chromium || need chromium
{ has javac && has java; } || need default-jdk-headless
has mvn || need maven
if [ -n "$packages" ]; then
    has apt-get || fail "the tests need$packages, and there is no apt-get to install them with"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif has sudo && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        fail "the tests need$packages: run \`apt-get install$packages\` as root, then this again"
    fi
    say "apt-get install$packages"
    # Unquoted on purpose: each word is one of its own.
    $as_root apt-get update -q >/dev/null || fail "apt-get update did not succeed"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        $packages >/dev/null || fail "apt-get could not install$packages"
fi

# `websockets` for Python.
python=$target/python/bin/python
done_python=$target/python/installed
if [ ! -x "$python" ] || [ "$(cat "$done_python" 2>/dev/null)" != "$WEBSOCKETS" ]; then
    say "$WEBSOCKETS into $target/python"
    python3 -m venv --clear "$target/python" || fail "python3 -m venv did not succeed"
    "$python" -m pip install --quiet --disable-pip-version-check "$WEBSOCKETS" ||
        fail "pip could not install $WEBSOCKETS"
    echo "$WEBSOCKETS" >"$done_python"
fi

# npm packages.
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge "$NODE_AT_LEAST" ] ||
    fail "Node $NODE_AT_LEAST or later is needed, and this is $(node --version)"
for project in $npm_projects; do
    wanted=$(cksum <"$project/package-lock.json")
    done_npm=$project/node_modules/.installed
    if [ "$(cat "$done_npm" 2>/dev/null)" != "$wanted" ]; then
        say "npm packages into $project/node_modules"
        (cd "$project" && npm ci --no-audit --no-fund --loglevel=error) ||
            fail "npm ci did not succeed in $project"
        echo "$wanted" >"$done_npm"
    fi
done

# The jars of the Android client.
jars=$target/android/lib
done_jars=$target/android/installed
wanted=$(cksum <tests/clients/android/pom.xml)
if [ "$(cat "$done_jars" 2>/dev/null)" != "$wanted" ]; then
    say "OkHttp for clients/android into $jars"
    rm -rf "$jars"
    mkdir -p "$jars"
    # Maven has a word for each file that it fetches, and tells errors among them.
    mvn -B -ntp -f tests/clients/android/pom.xml dependency:copy-dependencies \
        -DoutputDirectory="$(cd "$jars" && pwd)" >"$target/android/mvn.log" 2>&1 ||
        { grep ERROR "$target/android/mvn.log" >&2; fail "mvn could not fetch what clients/android is built on"; }
    echo "$wanted" >"$done_jars"
fi

case $python in
    /*) say "ready: $python" ;;
    *) say "ready: $(pwd)/$python" ;;
esac
