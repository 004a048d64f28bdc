#!/bin/sh
# Prepares podman and buildah for drills, below build/containers, and makes the two base images that they use, because no
# registry is asked for any: Debian's Python with pip (localhost/bertline-base:build), and without pip, a shell and a
# package manager (localhost/bertline-base:run). Needs root and the packages of tools/packages-drill.txt.
#
#   . tools/containers.sh             sets CONTAINERS_CONF, CONTAINERS_STORAGE_CONF and BUILDAH_ISOLATION as well
set -eu

containers=$(pwd)/build/containers
mkdir -p "$containers"

# runc and cgroupfs, because there is neither systemd nor crun; limits, because the defaults exceed those of this machine.
cat >"$containers/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
CONF
cat >"$containers/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$containers/storage"
runroot = "$containers/run"
CONF
export CONTAINERS_CONF="$containers/containers.conf" CONTAINERS_STORAGE_CONF="$containers/storage.conf"
export BUILDAH_ISOLATION=chroot

# slim FOLDER: no documents and caches.
slim() {
    rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/share/info
    rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists "$1"/var/log "$1"/dev/*
}

# import FOLDER TAG
import() {
    tar -C "$1" --sort=name --mtime=@0 -c . | podman import --quiet - "localhost/bertline-base:$2" >/dev/null
}

if ! podman image exists localhost/bertline-base:run; then
    root=$containers/root
    rm -rf "$root"
    debootstrap --variant=minbase --include=python3,python3-pip,binutils,ca-certificates bookworm "$root" >"$containers/log" 2>&1 || {
        echo "bertline: debootstrap failed, see $containers/log" >&2
        exit 1
    }
    slim "$root"
    import "$root" build
    rm -rf "$root"/usr/lib/python3/dist-packages/* "$root"/usr/bin/pip* "$root"/usr/share/python-wheels
    rm -f "$root"/usr/bin/x86_64-linux-gnu-* "$root"/usr/lib/x86_64-linux-gnu/lib[bo]*bfd* "$root"/usr/lib/x86_64-linux-gnu/libopcodes*
    for name in sh bash dash rbash 'perl*' 'apt*' 'dpkg*'; do
        # shellcheck disable=SC2086 # a pattern
        rm -f "$root"/usr/bin/$name
    done
    rm -rf "$root"/usr/lib/apt "$root"/usr/lib/x86_64-linux-gnu/perl* "$root"/usr/share/perl*
    import "$root" run
    rm -rf "$root"
fi
