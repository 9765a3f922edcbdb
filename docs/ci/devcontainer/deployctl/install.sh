#!/bin/sh
# Run as root by the tool that builds the container; options come in as variables.
set -e
if ! command -v curl >/dev/null && command -v apt-get >/dev/null; then
  apt-get update -q && apt-get install -y -q --no-install-recommends ca-certificates curl
fi
curl -fsSL -o /tmp/install-deployctl.sh https://github.com/deployctl/deployctl/releases/latest/download/install.sh
DEPLOYCTL_VERSION=${VERSION:-} DEPLOYCTL_TO=/usr/local/bin sh /tmp/install-deployctl.sh
rm /tmp/install-deployctl.sh
[ -z "${RECIPE:-}" ] || deployctl doctor --fix --yes --recipe "$RECIPE"
