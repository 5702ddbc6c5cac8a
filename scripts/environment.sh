# Sourced by the scripts: `ensure_environment` leaves a working interpreter with the kit in $PYTHON.
#
#   SPECTRAMIND_PYTHON       interpreter to build the environment with (default: the first of 3.11, 3.12, 3.13 that works)
#   SPECTRAMIND_VENV         folder of the environment (default: .venv in the checkout)
#   SPECTRAMIND_TORCH        auto (default) | cpu | cuda: the torch build; auto takes cuda where an NVIDIA driver answers
#   SPECTRAMIND_TORCH_INDEX  package index with torch's CPU builds (default: PyTorch's own)
#   SPECTRAMIND_REQUIREMENTS requirements file (default: requirements.txt)
#
# The environment is reused as long as the requirements, pyproject.toml and the torch build are those of its stamp.

unset CDPATH # with it, `cd` may go elsewhere and prints where
SPECTRAMIND_ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
# A terminal or a log that is not UTF-8 gets \u03c3 for what it cannot show, and no program ends for it.
case "${PYTHONIOENCODING:-}" in
    *:*) ;;
    *) export PYTHONIOENCODING="${PYTHONIOENCODING:-}:backslashreplace" ;;
esac

# The shims of version managers exist for every version and fail when run: so run each candidate.
_interpreter_works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

_find_interpreter() {
    local name path
    if [ -n "${SPECTRAMIND_PYTHON:-}" ]; then
        _interpreter_works "$SPECTRAMIND_PYTHON" && { command -v "$SPECTRAMIND_PYTHON"; return 0; }
        echo "error: SPECTRAMIND_PYTHON=$SPECTRAMIND_PYTHON is not a working Python 3.11-3.13 with venv and ensurepip" >&2
        return 1
    fi
    for name in ${SPECTRAMIND_PREFER_PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
        while IFS= read -r path; do
            [ -n "$path" ] && _interpreter_works "$path" && { echo "$path"; return 0; }
        done <<< "$(type -ap "$name" 2>/dev/null)"
        for path in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/"${name#python}"*/bin/python3; do
            [ "$name" != "${name#python3.}" ] && [ -x "$path" ] && _interpreter_works "$path" && { echo "$path"; return 0; }
        done
    done
    echo "error: no working Python 3.11, 3.12 or 3.13 (with venv and ensurepip) was found on PATH or under pyenv." >&2
    echo "       Install one (e.g. apt-get install python3.11-venv) or set SPECTRAMIND_PYTHON to its path." >&2
    return 1
}

_torch_build() {
    case "${SPECTRAMIND_TORCH:-auto}" in
        cpu | cuda) echo "${SPECTRAMIND_TORCH}" ;;
        auto) if nvidia-smi -L >/dev/null 2>&1; then echo cuda; else echo cpu; fi ;;
        *) echo "error: SPECTRAMIND_TORCH must be auto, cpu or cuda, not '$SPECTRAMIND_TORCH'" >&2; return 1 ;;
    esac
}

# torch alone first: asked for together with the rest, or without '+cpu', pip takes a CUDA build of several GB.
_install_torch() {
    local python="$1" build="$2" requirement
    requirement="$(grep -E '^torch==' "$3")" || { echo "no line torch==… in $3"; return 1; }
    if [ "$build" = cpu ] && [ "$(uname -s)" = Linux ]; then
        "$python" -m pip install --quiet "$requirement+cpu" && return 0
        "$python" -m pip install --quiet --retries 1 --timeout 30 "$requirement+cpu" \
            --extra-index-url "${SPECTRAMIND_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" && return 0
        echo "no CPU build of $requirement was found; taking the default one"
    fi
    "$python" -m pip install --quiet "$requirement"
}

_install_all() {
    local python="$1" build="$2" requirements="$3"
    _install_torch "$python" "$build" "$requirements" &&
        "$python" -m pip install --quiet -r "$requirements" &&
        "$python" -m pip install --quiet --no-deps --no-build-isolation --editable "$SPECTRAMIND_ROOT" &&
        "$python" -c 'import numpy, pandas, pyarrow, torch; print("torch", torch.__version__)'
}

_stamp() {  # with the folder: the kit is installed editable, so an environment belongs to one checkout
    { echo "$2 $SPECTRAMIND_ROOT"; cat "$3" "$SPECTRAMIND_ROOT/pyproject.toml"; } |
        "$1" -c 'import hashlib, sys; print(sys.version_info[:2], hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

ensure_environment() {
    local venv="${SPECTRAMIND_VENV:-$SPECTRAMIND_ROOT/.venv}" build interpreter log started made status
    local requirements="${SPECTRAMIND_REQUIREMENTS:-$SPECTRAMIND_ROOT/requirements.txt}"
    build="$(_torch_build)" || return 1
    PYTHON="$venv/bin/python"
    export PYTHON
    if _interpreter_works "$PYTHON" && [ "$(cat "$venv/stamp" 2>/dev/null)" = "$(_stamp "$PYTHON" "$build" "$requirements")" ]; then
        return 0
    fi
    if command -v flock >/dev/null 2>&1 && [ -z "${_SPECTRAMIND_LOCKED:-}" ]; then  # two scripts at once: one builds
        mkdir -p "$venv"
        exec 9>"$venv/lock"
        flock 9
        status=0
        _SPECTRAMIND_LOCKED=1 ensure_environment || status=$?
        exec 9>&-
        return $status
    fi
    started=$SECONDS log="$venv/install.log"
    if ! _interpreter_works "$PYTHON"; then
        interpreter="$(_find_interpreter)" || return 1
        echo "Making the environment in $venv with $("$interpreter" --version) ($build build of torch; about 2 minutes) ..."
        status=0
        made="$("$interpreter" -m venv --clear "$venv" 2>&1)" || status=$?
        mkdir -p "$venv" && echo "$made" >"$log"
        [ $status -eq 0 ] || { _tell_log "$log"; return 1; }
    else
        echo "Updating the environment in $venv ..."
        : >"$log"
    fi
    if [ -f "$venv/torch_build" ] && [ "$(cat "$venv/torch_build")" != "$build" ]; then
        "$PYTHON" -m pip uninstall --quiet --yes torch >>"$log" 2>&1
    fi
    rm -f "$venv/stamp"
    PIP_DISABLE_PIP_VERSION_CHECK=1 _install_all "$PYTHON" "$build" "$requirements" >>"$log" 2>&1 || { _tell_log "$log"; return 1; }
    echo "$build" >"$venv/torch_build"
    _stamp "$PYTHON" "$build" "$requirements" >"$venv/stamp"
    echo "The environment stands ($((SECONDS - started)) s; log: $log)."
}

# Oracles that only tests use: batman is source-only, Dask is big, neither is needed to run the kit. Tried once
# for an environment; what could not be had is remembered with it, so that a machine without a compiler or a
# network waits once and not at every run.
ensure_test_packages() {
    local venv="${SPECTRAMIND_VENV:-$SPECTRAMIND_ROOT/.venv}"
    local stamp log="$venv/install.log" failed="" entry module requirement limit=()
    stamp="$(cat "$venv/stamp" 2>/dev/null || true)"
    if [ "$(head -n 1 "$venv/test_packages" 2>/dev/null)" = "$stamp" ]; then
        tail -n +2 "$venv/test_packages"
        return 0
    fi
    command -v timeout >/dev/null 2>&1 && limit=(timeout 300)
    for entry in "batman=batman-package>=2.5" "distributed=dask[distributed]>=2024.8"; do
        module="${entry%%=*}" requirement="${entry#*=}"
        "$PYTHON" -c "import $module" >/dev/null 2>&1 && continue
        echo "Installing $requirement, which tests compare with ..."
        PIP_DISABLE_PIP_VERSION_CHECK=1 ${limit[@]+"${limit[@]}"} "$PYTHON" -m pip install --quiet \
            --retries 1 --timeout 15 "$requirement" </dev/null >>"$log" 2>&1 &&
            "$PYTHON" -c "import $module" >>"$log" 2>&1 && continue
        failed="$failed$requirement cannot be had here (why: $log): its tests are skipped. "
        failed="${failed}To try again: rm $venv/test_packages"$'\n'
    done
    { echo "$stamp"; printf '%s' "$failed"; } >"$venv/test_packages" 2>/dev/null || true
    printf '%s' "$failed"
}

_tell_log() {
    echo "error: the environment could not be made. The last lines of $1:" >&2
    tail -n 15 "$1" | sed 's/^/    /' >&2
    echo "       Run the command again once the cause is gone: what is installed already is kept." >&2
}
