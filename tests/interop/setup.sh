#!/bin/bash
# Everything that the tests in this folder need, on Debian 12, as root. What is there already is left alone.
#
# Python packages go to $ENCAP_CI_CACHE/python, or ~/.cache/encap-ci/python; its bin/ is to be first in PATH.
set -euo pipefail

cache=${ENCAP_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/encap-ci}
export DEBIAN_FRONTEND=noninteractive

packages=(
    ethtool iperf3 iproute2 iputils-arping iputils-ping kmod ndisc6 procps tcpdump # the kernel's vxlan
    user-mode-linux                                                                # another kernel
    openvswitch-switch                                                             # another data plane
    frr gobgpd                                                                     # control planes
    python3 python3-venv tshark                                                    # dissectors and builders
)

apt() { # tries again, since somebody else may hold a lock
    local try
    for try in {1..10}; do
        if apt-get -q -o DPkg::Lock::Timeout=300 "$@"; then return; fi
        echo "apt-get $1 failed, try $try"
        sleep 10
    done
    return 1
}

missing=()
for package in "${packages[@]}"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
        missing+=("$package")
    fi
done

if [ ${#missing[@]} -gt 0 ]; then
    # Installing must not start daemons: the tests start their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    # Archives of our own: another apt-get may clean the usual place while this one unpacks.
    archives=$(mktemp -d)
    mkdir "$archives/partial"
    apt update
    apt -o Dir::Cache::archives="$archives" install -y --no-install-recommends "${missing[@]}"
    rm -r "$archives"
fi

if ! "$cache/python/bin/python3" -c 'import scapy' 2>/dev/null; then
    python3 -m venv "$cache/python"
    "$cache/python/bin/pip" install --quiet --disable-pip-version-check scapy==2.6.1
fi
