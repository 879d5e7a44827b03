#!/usr/bin/env bash
# Environments of their own for the libraries that benchmarks/speed/peers.py compares with: about 4 GB under
# build/peers. What is there is kept, so it is safe to run again.
#   PYTHON=python3.12 benchmarks/speed/peers.sh [NAME...]
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}

needs() {
  case $1 in
    keras-tensorflow) echo keras==3.15.1 tensorflow-cpu==2.21.0 ;;
    keras-torch) echo keras==3.15.1 torch==2.13.0 ;;
    darts) echo darts==0.48.1 torch==2.13.0 pytorch-lightning ;;
    neuralforecast) echo neuralforecast==3.3.0 torch==2.13.0 ;;
    *)
      echo "no peer is called $1; expected keras-tensorflow, keras-torch, darts or neuralforecast" >&2
      exit 2
      ;;
  esac
}

[[ $# -gt 0 ]] || set -- keras-tensorflow keras-torch darts neuralforecast
for name in "$@"; do
  requirements=$(needs "$name")
  folder=build/peers/$name
  [[ -e $folder/.ready ]] && continue
  "$PYTHON" -m venv --clear "$folder"
  # shellcheck disable=SC2086  # several requirements
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check $requirements
  touch "$folder/.ready"
  echo "built $folder"
done
