#!/usr/bin/env bash
# Java clients of Kafka 4.1 against the embedded broker: java.sh WEIR [tools] [streams] [connect]
# Instead of WEIR, bootstrap=HOST:PORT runs the same against another broker, such as Apache Kafka.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$1
shift
case "$target" in
  bootstrap=*) ;;
  *) target="weir=$(realpath "$target")" ;;
esac
home="${WEIR_KAFKA_CLIENTS_HOME:-$HOME/.cache/weir/kafka-clients-4.1.0}"
[ -e "$home/complete" ] || { echo "the Java clients are not in $home: run tests/setup.sh clients" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -d "$work" -cp "$home/libs/*" -Xlint:all,-path,-processing,-serial,-try -Werror "$here"/java/*.java
libs=$(printf '%s:' "$home"/libs/*.jar)
java -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
  -cp "$work:$libs" Main "$target" "$@"
