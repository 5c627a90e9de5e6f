#!/usr/bin/env bash
# Puts checkov and Terraform into a virtual environment of their own, by the hashes of tests/deploy/tools.lock: checkov asks
# for old versions of what restorecheck uses itself, and Terraform comes as a library, since no other registry need be reached.
#   tests/checkov.sh <directory>    its last line is the path of checkov, for RESTORECHECK_CHECKOV; terraform lies beside it
# The lock is made by: uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate tests/deploy/tools.in
set -euo pipefail
into=$(mkdir -p "${1:?usage: tests/checkov.sh <directory>}" && cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/deploy"
lock=$PWD/tools.lock
if ! cmp -s "$lock" "$into/tools.lock"; then
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock" >&2
    cp terraform/terraform.py "$into/terraform.py"
    printf '#!/bin/sh\nexec %q %q "$@"\n' "$into/bin/python" "$into/terraform.py" >"$into/bin/terraform"
    chmod 755 "$into/bin/terraform"
    cp "$lock" "$into/tools.lock" # last: what is half done is begun anew
fi
echo "checkov $("$into/bin/checkov" --version)" >&2
"$into/bin/terraform" version >&2
echo "$into/bin/checkov"
