#!/bin/sh
# A start-up gate: waits until Rollcall has seen this node linked to every other, for at most GATE_SECONDS (30). No answer
# counts as ready: an app must not depend on whoever watches it. For a startupProbe's exec, or at the top of a start script;
# never for a readinessProbe.
#
#   ROLLCALL_URL=http://rollcall:14369 gate.sh app@10-0-0-7.app.shop.svc.cluster.local
node=${1:?the name of this node}
url=${ROLLCALL_URL:-http://rollcall:14369}/api/v1/ready/$node?strict=1
limit=$(($(date +%s) + ${GATE_SECONDS:-30}))
while [ "$(date +%s)" -lt "$limit" ]; do
  status=$(curl --silent --max-time 2 --output /dev/null --write-out '%{http_code}' "$url")
  case $status in
    200) exit 0 ;;
    503) sleep 1 ;; # Rollcall knows this node, and it is not linked to all yet
    *) exit 0 ;;    # away, or older than this question: not the app's problem
  esac
done
exit 0
