#!/usr/bin/env bash
# Installs what a build or a test needs and this machine lacks, or says exactly what that is.
#   setup.sh build   compilers and headers
#   setup.sh kafka   Java, Maven and the jars of Apache Kafka (for tests and benchmarks)
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
    home="${WEIR_KAFKA_HOME:-$HOME/.cache/weir/kafka-4.1.0}"
    if [ ! -e "$home/complete" ]; then
      echo "fetching Apache Kafka 4.1.0 into $home"
      mkdir -p "$home"
      cat >"$home/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>4.1.0</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
      (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs -DincludeScope=runtime)
      touch "$home/complete"
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
    echo "usage: setup.sh build|kafka|peer" >&2
    exit 2
    ;;
esac
