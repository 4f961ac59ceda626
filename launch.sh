#!/usr/bin/env bash
# Sets up .venv beside this file, then runs:
#   ./launch.sh                              the demonstration: what adaptation does on stand-in data
#   ./launch.sh test [pytest arguments]      linter and tests
#   ./launch.sh prepare --dataset=NAME ...   tools/prepare.py: a dataset's folder into records
#   ./launch.sh audit --data_dir=DIR         tools/audit.py: what is wrong with prepared datasets
#   ./launch.sh --config=FILE --workdir=DIR  python -m cda_jax.main with these flags
#   ./launch.sh reproduce --suite=paper      tools/reproduce.py: a suite of experiments
#   ./launch.sh sweep --config=FILE ...      tools/sweep.py: random search over config fields
#   ./launch.sh report --workdir=DIR         tools/report.py: measures and report of a run
#   ./launch.sh predict --workdir=DIR FILES  tools/predict.py: what a trained network says of pictures
#   ./launch.sh export --workdir=DIR         tools/export.py: a trained network as a file of its own
#   ./launch.sh bench --config=FILE          tools/bench.py: how fast a configuration trains
# Under SLURM, `srun ./launch.sh --config=...` joins the processes of the step into one training.
#
# PYTHON names the interpreter (3.11 or newer), CDA_JAX_DEVICE the hardware to install for: cpu,
# cuda12 or tpu. Both are found out where they are not set.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv

find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3.{14,13,12,11}; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo 'error: no Python 3.11 or newer with venv found; set PYTHON to one' >&2
  return 1
}

find_device() {
  if [[ -n ${CDA_JAX_DEVICE:-} ]]; then
    case $CDA_JAX_DEVICE in
      cpu | cuda12 | tpu) echo "$CDA_JAX_DEVICE" ;;
      *)
        echo "error: CDA_JAX_DEVICE is '$CDA_JAX_DEVICE', expected cpu, cuda12 or tpu" >&2
        return 1
        ;;
    esac
  elif nvidia-smi -L 2>/dev/null | grep -q GPU; then
    echo cuda12
  elif compgen -G '/dev/accel[0-9]*' >/dev/null ||
    { compgen -G '/dev/vfio/[0-9]*' >/dev/null && grep -qs 0x1ae0 /sys/bus/pci/devices/*/vendor; }; then
    echo tpu # the numbered devices of Cloud TPUs, and Google's PCI vendor
  else
    echo cpu
  fi
}

# Installs with uv, which needs a fifth of pip's time; with pip where pip is set up for an index of
# its own, which uv would not know, or where uv fails. Neither compiles what it installs: Python
# does that when it first imports a module.
install_packages() {
  local what=(--quiet --constraint "$root/constraints.txt" --editable "$1")
  local pip=("$venv/bin/python" -m pip --disable-pip-version-check)
  if ! "${pip[@]}" config list | grep -Eq '[.](no-index|index-url)=' &&
    "${pip[@]}" install --quiet --constraint "$root/constraints.txt" uv &&
    "$venv/bin/uv" pip install --system-certs --python "$venv/bin/python" "${what[@]}"
  then
    return
  fi
  "${pip[@]}" install --use-pep517 --no-compile "${what[@]}"
}

# Installs the package with the extras given, unless that was done for the same versions before.
install() {
  local extras=$1 stamp want spec
  # Where Python is told to keep no compiled modules beside the sources, it keeps them in .venv:
  # compiling them again takes seconds of every start.
  if [[ -n ${PYTHONDONTWRITEBYTECODE:-} ]]; then
    unset PYTHONDONTWRITEBYTECODE
    export PYTHONPYCACHEPREFIX=$venv/compiled
  fi
  stamp=$venv/installed-$extras
  extras=${extras#cpu} extras=${extras#,} # a CPU needs no extra
  spec=$root${extras:+[$extras]}
  want=$(cksum "$root/pyproject.toml" "$root/constraints.txt" | cut -d' ' -f1,2)
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then
    return
  fi
  # Several processes may start on one machine; the first installs, the others wait.
  exec 9>"$root/.venv.lock"
  if command -v flock >/dev/null; then flock 9; fi
  if [[ ! -f $stamp || $(<"$stamp") != "$want" ]]; then
    echo "Installing into $venv ($1) ..."
    # Asks pip, because a setup that was cut short leaves a Python without it.
    "$venv/bin/python" -m pip --version &>/dev/null || "$python" -m venv --clear "$venv"
    install_packages "$spec"
    echo "$want" >"$stamp"
  fi
  exec 9>&-
}

usage() {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"
}

# Finds out before an installation that a command lacks a flag that it needs.
require() {
  local name=workdir
  case $1 in
    reproduce) name=suite ;;
    bench | sweep) name=config ;;
  esac
  if [[ " $*" != *' --help'* && " $*" != *" --$name"* ]]; then
    echo "error: --$name is missing; ./launch.sh --help shows what there is" >&2
    exit 1
  fi
}

run_demo() {
  local jobs=1
  # Two trainings side by side share a CPU better than one after the other.
  if [[ $device == cpu ]] && (($(nproc) > 1)); then jobs=2; fi
  cd "$root"
  exec "$venv/bin/python" tools/reproduce.py --suite=demonstration --scale=demo --jobs=$jobs
}

run_tests() {
  cd "$root"
  "$venv/bin/ruff" check .
  "$venv/bin/ruff" format --check .
  exec "$venv/bin/python" -m pytest "$@"
}

# Large memory pages: every step takes and returns hundreds of megabytes on a CPU.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}
case ${1:-} in -h | --help) usage; exit ;; esac
python=$(find_python)
device=$(find_device)
case ${1:-} in
  '')
    install "$device,report"
    run_demo
    ;;
  test)
    install "$device,dev,report,embedding,pretrained,sweep,detect,stablehlo,onnx"
    run_tests "${@:2}"
    ;;
  prepare | audit | reproduce | report | bench | sweep | predict | export)
    extras=
    case $1 in
      prepare | predict) extras=,detect ;;
      reproduce | report | bench) extras=,report,embedding ;;
      sweep) extras=,report,sweep ;;
      export) extras=,stablehlo,onnx ;;
    esac
    [[ $1 == prepare || $1 == audit ]] || require "$@"
    install "$device$extras"
    exec "$venv/bin/python" "$root/tools/$1.py" "${@:2}"
    ;;
  -*)
    require train "$@"
    install "$device"
    exec "$venv/bin/python" -m cda_jax.main "$@"
    ;;
  *)
    usage
    echo "error: '$1' is none of these" >&2
    exit 1
    ;;
esac
