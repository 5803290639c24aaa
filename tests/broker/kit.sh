#!/usr/bin/env bash
# librdkafka against the embedded broker: kit.sh WEIR KIT
# KIT is the folder of the broker kit (tests through confluent-kafka for Python, written against Apache Kafka).
# kit.py runs against one broker, each test with topics of its own; the two others kill brokers of their own with SIGKILL.
set -euo pipefail
weir=$(realpath "$1") kit=$2
if [ ! -f "$kit/kit.py" ]; then
  echo "$kit is not here: librdkafka's kit is not run"
  exit 0
fi
kit=$(realpath "$kit")
python="${WEIR_CLIENTS_VENV:-$HOME/.cache/weir/clients-venv}/bin/python"
work=$(mktemp -d)
broker=
finish() {
  [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# Retention by time and by size is looked at each second, or the kit would wait for five minutes.
"$weir" broker --port 0 --data "$work/data" log.retention.check.interval.ms=1000 log.cleaner.backoff.ms=1000 \
  >"$work/broker.out" 2>"$work/broker.log" &
broker=$!
touch "$work/broker.out"
for _ in $(seq 300); do
  address=$(sed -n 's/^Kafka broker on //p' "$work/broker.out")
  [ -z "$address" ] || break
  kill -0 "$broker" 2>/dev/null || { cat "$work/broker.log" >&2; exit 1; }
  sleep 0.1
done
[ -n "$address" ] || { echo "the broker does not start" >&2; exit 1; }

# The kill tests mostly wait, so they run beside the kit; a client that is stuck (librdkafka issues 5456, 5511) is given up
# by transactions_kill.py after half a minute, hence fewer kills than its default.
start="$weir broker --port {port} --data {data}"
"$python" "$kit/durability.py" --start "$start" >"$work/durability" 2>&1 &
durability=$!
"$python" "$kit/transactions_kill.py" --start "$start" --kills "${KILLS:-4}" >"$work/transactions" 2>&1 &
transactions=$!

failed=0
# Its throughput tests only look for missing records here; figures are the benchmark's business.
KT_N1K="${KT_N1K:-20000}" KT_N100="${KT_N100:-20000}" "$python" "$kit/kit.py" "$address" "$work/kit.jsonl" >"$work/kit" 2>&1 || failed=1
grep -v '"ok": true' "$work/kit" || true
wait "$durability" || failed=1
wait "$transactions" || failed=1
# The last line is the result; before it librdkafka logs what it lives through.
for name in durability transactions; do
  [ "$failed" -eq 0 ] || sed "s/^/$name: /" "$work/$name" >&2
  tail -n 1 "$work/$name" | sed "s/^/$name: /"
done
[ "$failed" -eq 0 ] || { echo "the broker's log ends with:" >&2; tail -20 "$work/broker.log" >&2; }
exit "$failed"
