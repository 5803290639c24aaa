#!/usr/bin/env bash
# Plays the recorded ksqlDB cases, where they are: recorded.sh conformance|replay BIN SHARED
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1 bin=$2 shared=$3

case "$kind" in
  conformance)
    own=tests/conformance/cases
    known=tests/conformance/known-failures.txt
    paths=("$own")
    if [ -d "$shared/qtt/query" ]; then
      paths+=("$shared/qtt/query" "$shared/recorded/functions" "$shared/recorded/semantics")
    else
      echo "$shared/qtt is not here: only the project's own cases are run"
    fi
    exec "$bin/conformance" --known "$known" "${paths[@]}"
    ;;
  replay)
    known=tests/replay/known-failures.txt
    if [ ! -d "$shared/recorded/http" ]; then
      echo "$shared/recorded is not here: nothing to replay"
      exit 0
    fi
    exec "$bin/replay" --known "$known" "$shared/recorded/http" "$shared/recorded/cli" "$shared/qtt/rest"
    ;;
esac
