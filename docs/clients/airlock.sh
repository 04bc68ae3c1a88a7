#!/usr/bin/env bash
# Calls the Airlock API with an API key: bash, curl, openssl and od, nothing else.
#
#   export AIRLOCK_URL=https://airlock.example     where the API is
#   export AIRLOCK_KEY=ak_…                        the key's id
#   export AIRLOCK_SECRET_FILE=/path/to/secret     a file (mode 0600) with the 64 hex digits shown when the key was made
#
#   airlock.sh GET  '/v1/balances?user=ID'
#   airlock.sh POST /v1/transfers '{"kind":"transfer",…}' order-1017
#              METHOD PATH?QUERY  [BODY or - for standard input]  [IDEMPOTENCY-KEY]
#
# Prints the answer's body; exits with 0 for 2xx, 1 for a refusal, 2 if it could not ask. The secret stays out of every
# command line: the two SHA-256 of HMAC (RFC 2104) are fed through pipes by the shell itself.
set -euo pipefail
export LC_ALL=C

fail() { printf 'airlock.sh: %s\n' "$1" >&2; exit 2; }

[[ $# -ge 2 && $# -le 4 ]] || fail 'METHOD PATH?QUERY [BODY|-] [IDEMPOTENCY-KEY]'
: "${AIRLOCK_URL:?}" "${AIRLOCK_KEY:?}" "${AIRLOCK_SECRET_FILE:?}"
method=$1 target=$2 body=${3-} idempotency_key=${4-}

secret=$(<"$AIRLOCK_SECRET_FILE")
[[ $secret =~ ^[0-9a-f]{64}$ ]] || fail "$AIRLOCK_SECRET_FILE does not hold 64 lower-case hex digits"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
if [[ $body == - ]]; then cat >"$work/body"; else printf %s "$body" >"$work/body"; fi

sha256_hex() { openssl dgst -sha256 -r | cut -d' ' -f1; }
# The key, padded with zeros to 64 bytes, with every byte changed by $1, as printf escapes.
pad() {
    local at byte
    for ((at = 0; at < 64; at++)); do
        byte=0; if ((at < 32)); then byte=$((16#${secret:2*at:2})); fi
        printf '\\x%02x' $((byte ^ $1))
    done
}
hmac() {
    { printf "$(pad 0x36)"; cat; } | openssl dgst -sha256 -binary >"$work/inner"
    { printf "$(pad 0x5c)"; cat "$work/inner"; } | sha256_hex
}

path=${target%%\?*} query=''
if [[ $target == *\?* ]]; then query=${target#*\?}; fi
timestamp=$(date +%s)
nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
digest=$(sha256_hex <"$work/body")
signature=$(printf 'airlock-hmac-1\n%s\n%s\n%s\n%s\n%s\n%s\n%s' \
    "$method" "$path" "$query" "$timestamp" "$nonce" "$digest" "$idempotency_key" | hmac)

arguments=(--silent --show-error --globoff --path-as-is --max-time 60 --request "$method"
    --header "Authorization: Airlock-HMAC-SHA256 key=$AIRLOCK_KEY, timestamp=$timestamp, nonce=$nonce, signature=$signature"
    --output "$work/answer" --write-out '%{http_code}')
if [[ -s $work/body ]]; then
    arguments+=(--header 'Content-Type: application/json' --data-binary "@$work/body")
fi
if [[ -n $idempotency_key ]]; then arguments+=(--header "Idempotency-Key: $idempotency_key"); fi
status=$(curl "${arguments[@]}" "${AIRLOCK_URL%/}$target") || fail 'no answer; ask again with the same idempotency key'
cat "$work/answer"; printf '\n'
[[ $status == 2* ]]
