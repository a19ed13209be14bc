#!/usr/bin/env bash
# Builds the image and sees whether a notebook runs in it, with no network.
#
#	docker/smoke.sh [IMAGE]
#
# DOCKER names another engine with the same command line.
set -euo pipefail

docker=${DOCKER:-docker}
image=${1:-illm-smoke}
cd "$(dirname "$0")/.."

command -v "$docker" >/dev/null || {
	echo "smoke: $docker is not installed: install it, or name another engine in DOCKER" >&2
	exit 1
}

"$docker" build -f docker/Dockerfile -t "$image" .
inside() { "$docker" run --rm --network none "$image" "$@"; }

inside illm doctor
inside illm reproduce start --quick
inside illm generate --recipe w8a8 --prompt "The sea is" -n 8
echo "smoke: $image runs"
