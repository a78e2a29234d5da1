#!/usr/bin/env bash
# Runs Trino while the resumer says that it is wanted (200), not while it says that it is not (404).
# No answer changes nothing. RUN is what runs, for a Trino that lies elsewhere.
set -u

trino=""
trap 'stop; exit 0' TERM INT

stop() {
  if [ -n "$trino" ]; then
    kill "$trino" 2>/dev/null
    wait "$trino" 2>/dev/null
    trino=""
  fi
}

while true; do
  answer=$(curl --silent --output /dev/null --max-time 2 --write-out '%{http_code}' "$WANTED")
  if [ -n "$trino" ] && ! kill -0 "$trino" 2>/dev/null; then
    trino=""
  fi
  if [ "$answer" = 200 ] && [ -z "$trino" ]; then
    ${RUN:-/usr/lib/trino/bin/run-trino} &
    trino=$!
  elif [ "$answer" = 404 ]; then
    stop
  fi
  sleep 1 &
  wait $!
done
