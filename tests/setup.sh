#!/usr/bin/env bash
# Installs what a build or a test needs and this machine lacks, or says exactly what that is.
#   setup.sh build   compilers and headers
#   setup.sh kafka   Java, Maven and the jars of Apache Kafka (for tests and benchmarks)
#   setup.sh clients what the embedded broker is tried with: librdkafka for Python, the Java clients, Streams, Connect
#   setup.sh peer    the benchmark's program on Kafka Streams (a JDK and Maven)
set -euo pipefail

missing=()
need() { # need PACKAGE TEST…
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

install_missing() {
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    echo "installing with sudo: ${missing[*]}"
    sudo apt-get update -qq
    sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "These Debian packages are missing, and installing them needs root:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
}

fetch_jars() { # fetch_jars HOME GROUP:ARTIFACT:VERSION…  into HOME/libs, with what they need
  local home=$1 artifact dependencies=
  shift
  [ ! -e "$home/complete" ] || return 0
  echo "fetching jars into $home: $*"
  mkdir -p "$home"
  for artifact in "$@"; do
    dependencies+=$(sed -E 's|(.*):(.*):(.*)|<dependency><groupId>\1</groupId><artifactId>\2</artifactId><version>\3</version></dependency>|' <<<"$artifact")
  done
  cat >"$home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId>
  <artifactId>jars-for-tests</artifactId>
  <version>1</version>
  <dependencies>$dependencies</dependencies>
</project>
POM
  (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs -DincludeScope=runtime)
  touch "$home/complete"
}

has_libclang() {
  ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* 2>/dev/null | grep -q .
}

case "${1:-}" in
  build)
    need build-essential sh -c 'command -v cc && command -v c++ && command -v make'
    need cmake command -v cmake
    need perl command -v perl
    need pkg-config command -v pkg-config
    need libclang-dev has_libclang
    install_missing
    ;;
  kafka)
    need default-jre-headless command -v java
    need maven command -v mvn
    install_missing
    fetch_jars "${WEIR_KAFKA_HOME:-$HOME/.cache/weir/kafka-4.1.0}" \
      org.apache.kafka:kafka_2.13:4.1.0 org.slf4j:slf4j-simple:1.7.36
    ;;
  clients)
    need default-jdk-headless command -v javac
    need maven command -v mvn
    need python3-venv python3 -c 'import ensurepip, venv'
    install_missing
    fetch_jars "${WEIR_KAFKA_CLIENTS_HOME:-$HOME/.cache/weir/kafka-clients-4.1.0}" \
      org.apache.kafka:kafka_2.13:4.1.0 org.apache.kafka:kafka-tools:4.1.0 org.apache.kafka:kafka-streams:4.1.0 \
      org.apache.kafka:connect-runtime:4.1.0 org.apache.kafka:connect-file:4.1.0 org.slf4j:slf4j-simple:1.7.36
    venv="${WEIR_CLIENTS_VENV:-$HOME/.cache/weir/clients-venv}"
    if [ ! -e "$venv/complete" ]; then
      echo "installing librdkafka for Python into $venv"
      python3 -m venv "$venv"
      "$venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1
      touch "$venv/complete"
    fi
    ;;
  peer)
    need default-jdk-headless command -v javac
    need maven command -v mvn
    install_missing
    home="${WEIR_PEER_HOME:-$HOME/.cache/weir/peer}"
    source="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/bench/peer"
    # Built again when its source is another one.
    sum=$(cat "$source/pom.xml" "$source"/src/main/java/weir/bench/*.java | sha256sum | cut -d' ' -f1)
    if [ "$(cat "$home/complete" 2>/dev/null)" != "$sum" ]; then
      echo "building the program on Kafka Streams into $home"
      rm -rf "$home"
      mkdir -p "$home"
      mvn -q -B -f "$source/pom.xml" -Dpeer.home="$home" package
      echo "$sum" >"$home/complete"
    fi
    ;;
  *)
    echo "usage: setup.sh build|kafka|clients|peer" >&2
    exit 2
    ;;
esac
