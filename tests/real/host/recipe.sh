#!/bin/sh
# Makes the root of the test host: sh recipe.sh ROOT MIRROR. Needs root and debootstrap; 1 to 2 minutes.
#
# Everything in this folder is the image's recipe: the image is cached under the sum of these files.
set -eu
root=$1 mirror=$2
here=$(dirname "$0")

# What the users' host has, plus what the stand-ins need. openssl makes the self-signed certificate.
packages=systemd,systemd-sysv,dbus,libpam-systemd,nginx-light,ufw,socat,iptables,iproute2,procps,curl,openssl
packages=$packages,python3,pipx,strace,docker.io,docker-compose,busybox-static,ca-certificates

debootstrap --variant=minbase --include="$packages" bookworm "$root" "$mirror"

# Copied without this checkout's owners and with the modes that the repository may have lost.
tar -C "$here/root" -c . | tar -C "$root" --no-same-owner -x
chmod 0755 "$root"/usr/local/sbin/*

# No device, terminal or login to look after in a container.
for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-logind.service \
    getty.target console-getty.service getty@.service serial-getty@.service \
    systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
    apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer man-db.timer dpkg-db-backup.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../testhost-neighbours.service "$root/etc/systemd/system/multi-user.target.wants/"

# The image of the dashboards: this root's own python3 and nothing else, so that nothing has to be pulled.
apps=$root/opt/testhost
mkdir -p "$apps"
{
    echo usr/bin/python3
    echo usr/bin/python3.11
    for folder in "" /asyncio /collections /concurrent /ctypes /email /encodings /html /http /importlib /json /logging \
        /multiprocessing /re /sqlite3 /urllib /xml /lib-dynload; do
        (cd "$root" && find "usr/lib/python3.11$folder" -maxdepth 1 -type f ! -name '*.pyc')
    done
    chroot "$root" ldd /usr/bin/python3.11 |
        sed -n 's,.* => /\([^ ]*\) .*,\1,p; s,^[[:space:]]*/\([^ ]*\) (.*,\1,p'
} | sort -u >"$apps/files"
# Followed, since /lib and some of the names are links here and the tar has no other names for them.
(cd "$root" && tar --numeric-owner --dereference -cf "$apps/dashboard-image.tar" -T "$apps/files")
rm "$apps/files"

# Smaller, and nothing in the tests reads them.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/*
# The host makes its own identity at boot.
rm -f "$root/etc/machine-id"
: >"$root/etc/machine-id"
