#!/usr/bin/env bash
# Ask, send one event, ask again: what a household is shown moves at once.
#   make serve                 (in another terminal)
#   bash examples/ask.sh 1029
set -euo pipefail
user=${1:-1029} url=${URL:-http://127.0.0.1:8000}
json='Content-Type: application/json'

lists() {
    curl -fsS "$url/v1/lists" -H "$json" -d "{\"user\": \"$user\", \"tasks\": [\"products\"], \"size\": 3}"
}

top() { lists | python3 -c '
import json, sys
for item in json.load(sys.stdin)["lists"]["products"]["items"]:
    print("  ", item["id"], item["title"], "-", item["reason"]["text"])'; }

echo "before:"
top
first=$(lists | python3 -c 'import json, sys; print(json.load(sys.stdin)["lists"]["products"]["items"][0]["id"])')
curl -fsS "$url/v1/events" -H "$json" \
    -d "{\"user\": \"$user\", \"kind\": \"products\", \"item\": \"$first\", \"action\": \"dismiss\"}"
echo
echo "after $first was dismissed:"
top
