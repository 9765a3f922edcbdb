#!/bin/sh
# Proves the set-up on the machine that runs it, then begins the program. A proof that
# fails ends the start with its exit code.
set -e
deployctl verify --engine opencv
exec "$@"
