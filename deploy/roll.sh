#!/bin/sh
# New code on one host after the other, without a request that fails:
#
#     ./roll.sh 10.0.0.11 10.0.0.12 10.0.0.13
#
# Nothing is begun unless every host serves. The first host that fails ends the roll: it goes on with the code that it has
# in memory, and the hosts behind it are not touched. The exit status is 0 if all have the new code, 1 if not, 2 for usage.
#
# variable      default                         what it is
# ROLL_ON       ssh                             runs a command on a host: $ROLL_ON HOST COMMAND
# ROLL_FIRST    true                            a command that brings the code to the host
# ROLL_DO       corepool upgrade --control /run/corepool-service/control.sock
# ROLL_READY    http://HOST:9007/readyz         answers 200 when HOST serves
# ROLL_WITHIN   60                              seconds within which it has to, after ROLL_DO
set -eu

: "${ROLL_ON:=ssh}" "${ROLL_FIRST:=true}" "${ROLL_READY:=http://HOST:9007/readyz}" "${ROLL_WITHIN:=60}"
: "${ROLL_DO:=corepool upgrade --control /run/corepool-service/control.sock}"

is_ready() {  # HOST
    curl --silent --fail --max-time 5 --output /dev/null "$(printf %s "$ROLL_READY" | sed "s|HOST|$1|")"
}

becomes_ready() {  # HOST
    left=$ROLL_WITHIN
    until is_ready "$1"; do
        test "$left" -gt 0 || return 1
        left=$((left - 1))
        sleep 1
    done
}

stop() {  # MESSAGE
    echo "roll.sh: $1; with the new code:${rolled:- none}" >&2
    exit 1
}

if test $# -eq 0; then
    echo "usage: roll.sh HOST..." >&2
    exit 2
fi
rolled=
for host; do
    is_ready "$host" || stop "$host does not serve, nothing was begun"
done
for host; do
    echo "roll.sh: $host"
    # shellcheck disable=SC2086  # it may have words, such as ssh -p 2222
    $ROLL_ON "$host" "$ROLL_FIRST && $ROLL_DO" || stop "$host has failed, and serves what it had"
    becomes_ready "$host" || stop "$host is not ready within $ROLL_WITHIN s"
    rolled="$rolled $host"
done
