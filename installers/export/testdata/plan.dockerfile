# Written by deployctl; it runs without deployctl.
# Recipe: opencv-gocv.
# It is the plan of one machine: what was installed there already is not in
# it.
# Nothing here keeps a journal, so "deployctl undo" cannot take it back.
# Only the steps that need it run as root.
# Left to do by hand: cpu.avx2: the recipe has no automatic fix for it. Use a
# processor that has it.
ARG BASE=debian:12
FROM ${BASE} AS deployctl
# 1 of 3: Fetch the package lists. A fresh machine has none.
# Undo: nothing to undo: the lists are a cache.
# 2 of 3: Install cmake, g++. For cmake.present, gcc.version.
# Undo: apt-get --purge autoremove cmake g++; first look at what else it would
# remove.
# 3 of 3: Install go@1.22.
# Undo: brew uninstall go@1.22; first look at what else it would remove.
USER root
RUN set -eu; \
    /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 \
      APT_LISTCHANGES_FRONTEND=none /usr/bin/apt-get --quiet --option Acquire::Retries=3 \
      update; \
    /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 \
      APT_LISTCHANGES_FRONTEND=none /usr/bin/apt-get --yes --quiet --no-remove --option \
      Dpkg::Use-Pty=0 --option DPkg::Lock::Timeout=30 --option Acquire::Retries=3 --option \
      APT::Cmd::Pattern-Only=true --option Dpkg::Options::=--force-confdef --option \
      Dpkg::Options::=--force-confold --no-install-recommends install -- cmake g++; \
    /usr/bin/env HOMEBREW_NO_ANALYTICS=1 HOMEBREW_NO_ENV_HINTS=1 \
      HOMEBREW_NO_INSTALL_CLEANUP=1 NONINTERACTIVE=1 /opt/homebrew/bin/brew install --formula \
      -- go@1.22; \
    /usr/bin/apt-get clean; \
    rm -rf /var/lib/apt/lists/*
