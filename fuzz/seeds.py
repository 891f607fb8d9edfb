#!/usr/bin/env python3
"""Writes seeds/, or the folder that is named: small inputs, made by hand, from which fuzzing starts.

Without them a fuzzer does not get past a checksum or an EtherType in reasonable time. The files are
committed; run this again after a change here.
"""

import pathlib
import shutil
import struct
import sys


def b(text):
    return bytes.fromhex(text)


def ipv4(
    payload, protocol=17, options=b"", first=0x45, ecn=0, fragment=0x4000, source="c0000201", destination="c0000202"
):
    first += len(options) // 4
    head = struct.pack(">BBHHHBBH", first, ecn, 20 + len(options) + len(payload), 1, fragment, 64, protocol, 0)
    head += b(source) + b(destination) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(payload, next_header=17):
    addresses = b("20010db8000000000000000000000001" "20010db8000000000000000000000002")
    return struct.pack(">IHBB", 0x6000_0000, len(payload), next_header, 64) + addresses + payload


def udp(payload, destination=4789):
    return struct.pack(">HHHH", 50000, destination, 8 + len(payload), 0) + payload


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


ETHERNET = b("02000000000b" "02000000000a")
ARP = b("0001 0800 06 04 0001" "020000000001 0a010001 000000000000 0a010002")
IPV4 = ipv4(udp(b"hello", 2000), source="0a010001", destination="0a010002")
GRE_ALL_FIELDS = b("b000 0800 0000 0000 00000007 00000007") + IPV4
GRE_ALL_FIELDS = GRE_ALL_FIELDS[:4] + struct.pack(">H", checksum(GRE_ALL_FIELDS)) + GRE_ALL_FIELDS[6:]

# The first byte picks the codec.
WIRE = {
    "ethernet": b"\0" + ETHERNET + b("0800") + IPV4,
    "vlan": b("01" "7064 86dd"),
    "arp": b"\2" + ARP,
    "arp-other-hardware": b"\2" + b("0006") + ARP[2:],
    "ipv4": b"\3" + IPV4,
    "ipv4-options": b"\3" + ipv4(b"\0" * 8, 47, options=b("94040000" "01010101")),
    "ipv4-longest-header": b"\3" + ipv4(b"", 1, options=b("01") * 40),
    "ipv4-short-header": b"\3" + ipv4(b"", first=0x44),
    "ipv4-fragment": b"\3" + IPV4[:6] + b("2001") + IPV4[8:],
    "ipv6": b"\4" + ipv6(udp(b"hello")),
    "ipv6-all-fields": b"\4" + b("6b9abcde") + ipv6(b"")[4:],
    "udp": b"\5" + udp(b"hello"),
    "udp-short-length": b"\5" + b("0001 0002 0007 0000"),
    "vxlan": b("06" "08000000 00002a00") + ETHERNET,
    "vxlan-extensions": b("06" "88400123 00002aff"),
    "gre": b("07" "0000 0800") + IPV4,
    "gre-key": b("07" "2000 6558 00000007") + ETHERNET,
    "gre-all-fields": b("07") + GRE_ALL_FIELDS,
    "gre-routing": b("07" "4000 0800"),
    "gre-version-1": b("07" "2001 880b 0000 0000"),
    "extensions": b("08" "00" "2b00 010400000000" "2c00 000000000000" "3300 000112345678" "3c01")
    + b("00000000000000000000" "1100 010400000000") + udp(b"hello"),
    "extensions-endless": b("08" "00") + b("0000 010400000000") * 9,
    "extension-past-the-end": b("08" "2b" "11ff 000000000000"),
    "tags": b("09" "88a8" "0001 9100" "0002 8100" "0003 0800") + IPV4,
    "tags-endless": b("09" "8100") + b("0001 8100") * 5,
    "vxlan-gbp": b("06" "88480005 00002a00") + ETHERNET,
    "vxlan-gpe": b("0f" "0c000003 00002a00") + ETHERNET,
    "vxlan-gpe-all-fields": b("0f" "ffffff05 00002aff"),
    "geneve": b("10" "0000 6558 00002a00") + ETHERNET,
    "geneve-options": b("10" "0640 6558 00002a00" "0108 81 01 11223344" "0108 02 03") + bytes(12),
    "geneve-options-cut-off": b("10" "0200 6558 00002a00" "0108 01 00"),
    "geneve-version-1": b("10" "4000 6558 00002a00"),
    "nvgre": b("11" "2000 6558 0013892a") + ETHERNET,
    "nvgre-reserved-bits": b("11" "2ff8 6558 ffffffff"),
    "nvgre-sequence": b("11" "3000 6558 0013892a 00000001"),
    "enhanced-gre": b("12" "3081 880b 0004 0018 00000007 00000006 ff03c021"),
    "enhanced-gre-acknowledgment": b("12" "2081 880b 0000 0018 00000006"),
    "enhanced-gre-without-key": b("12" "1001 880b 0004 0018 00000007"),
    "erspan-ii": b("13" "1064187b 00000001") + ETHERNET,
    "erspan-iii": b("13" "2064007b 00000001 00050000") + ETHERNET,
    "erspan-iii-subheader": b("13" "2064007b 00000001 00058001" "0102030405060708") + ETHERNET,
    "erspan-version-0": b("13" "0064187b 00000001"),
    "wccp": b("14" "803d0102") + IPV4,
    "wccp-without-header": b("14") + IPV4,
    "wccp-alternative": b("14" "503d0102") + IPV4,
    "wccp-cut-off": b("14" "803d"),
}

FRAME = ETHERNET + b("0800") + IPV4
FRAME6 = ETHERNET + b("86dd") + ipv6(udp(b"hello", 2000))
TAGGED = ETHERNET + b("8100" "0064 0800") + IPV4
VXLAN = b("08000000 00002a00")
VXLAN_FRAME = udp(VXLAN + FRAME)
GRE_KEY = b("2000 0800 00000007")
GENEVE = b("0000 6558 00002a00")
GENEVE_OPTIONS = b("0108 01 01 11223344" "0108 02 00" "0108 03 00")

# The first byte chooses settings: 1 is IPv6; 0 is no framing, 2 IP, 4 Ethernet; 8 any destination, 16 inner
# tags, 32 no checksum over IPv6, 64 Ethernet in GRE, 128 a GRE key of 7.
DECAP = {
    "vxlan": b("02") + ipv4(VXLAN_FRAME),
    "vxlan-ipv6": b("23") + ipv6(VXLAN_FRAME),
    "vxlan-ethernet": b("04") + ETHERNET + b("0800") + ipv4(VXLAN_FRAME),
    "vxlan-ethernet-tagged": b("04") + ETHERNET + b("8100" "0064 0800") + ipv4(VXLAN_FRAME),
    "vxlan-payload": b("00") + VXLAN + FRAME6,
    "vxlan-inner-tag": b("12") + ipv4(udp(VXLAN + TAGGED)),
    "vxlan-inner-tag-refused": b("02") + ipv4(udp(VXLAN + TAGGED)),
    "vxlan-inner-arp": b("02") + ipv4(udp(VXLAN + ETHERNET + b("0806") + ARP)),
    "vxlan-marked": b("02") + ipv4(VXLAN_FRAME, ecn=3),
    "vxlan-padded": b("04") + ETHERNET + b("0800") + ipv4(udp(VXLAN + ETHERNET + b("88b5"))) + bytes(6),
    "vxlan-in-vxlan": b("0c") + ETHERNET + b("0800")
    + ipv4(udp(VXLAN + ETHERNET + b("0800") + ipv4(VXLAN_FRAME))),
    "vxlan-options": b("02") + ipv4(VXLAN_FRAME, options=b("94040000")),
    "vxlan-linux-port": b("0a") + ipv4(udp(VXLAN + FRAME, 8472)),
    "vxlan-other-host": b("02") + ipv4(VXLAN_FRAME, destination="c0000203"),
    "gre": b("02") + ipv4(b("0000 0800") + IPV4, 47),
    "gre-key": b("82") + ipv4(GRE_KEY + IPV4, 47),
    "gre-frame": b("42") + ipv4(b("0000 6558") + FRAME, 47),
    "gre-all-fields": b("82") + ipv4(GRE_ALL_FIELDS, 47),
    "gre-ipv6": b("03") + ipv6(b("0000 86dd") + ipv6(udp(b"hello", 2000)), 47),
    "gre-ipv6-destination-options": b("03") + ipv6(b("2f00 04 0104 010100") + b("0000 0800") + IPV4, 60),
    "gre-payload": b("80") + GRE_KEY + IPV4,
    "ip-in-udp": b("02") + ipv4(udp(IPV4, 8285)),
    "ip-in-udp-payload": b("00") + IPV4,
    "fragment": b("02") + ipv4(VXLAN_FRAME, fragment=0x2000),
    "vxlan-gbp": b("02") + ipv4(udp(b("88480005 00002a00") + FRAME)),
    "vxlan-gpe-ip": b("02") + ipv4(udp(b("0c000001 00002a00") + IPV4, 4790)),
    "vxlan-gpe-frame": b("42") + ipv4(udp(b("0c000003 00002a00") + FRAME, 4790)),
    "geneve": b("42") + ipv4(udp(GENEVE + FRAME, 6081)),
    "geneve-options": b("42") + ipv4(udp(b("0400 6558 00002a00") + GENEVE_OPTIONS + FRAME, 6081)),
    "geneve-critical": b("42") + ipv4(udp(b("0240 6558 00002a00" "0001 81 01 cafebabe") + FRAME, 6081)),
    "geneve-ip": b("02") + ipv4(udp(b("0000 0800 00002a00") + IPV4, 6081)),
    "geneve-in-gre": b("0a") + ipv4(GRE_KEY[:4] + b("00000001") + ipv4(udp(GENEVE + FRAME, 6081)), 47),
    "nvgre": b("02") + ipv4(b("2000 6558 0013892a") + FRAME, 47),
    "gre-in-udp": b("02") + ipv4(udp(b("0000 0800") + IPV4, 4754)),
    "gre-version-1": b("02") + ipv4(b("3081 880b 0004 0018 00000007 00000006 ff03c021"), 47),
    "gre-keepalive": b("02") + ipv4(b("0000 0800") + ipv4(b("0000 0000"), 47), 47),
    "wccp": b("02") + ipv4(b("0000 883e") + IPV4, 47),
    "wccp-redirect-header": b("02") + ipv4(b("0000 883e" "803d0102") + IPV4, 47),
    "erspan-i": b("0a") + ipv4(b("0000 88be") + FRAME, 47),
    "erspan-ii": b("0a") + ipv4(b("1000 88be 00000005" "1064187b 00000001") + FRAME, 47),
    "erspan-iii": b("0a") + ipv4(b("1000 22eb 00000006" "2064007b 00000001 00000001" "0102030405060708") + FRAME, 47),
}

# Twelve bytes choose settings, those of no tunnel being left alone: IPv6; VXLAN, with GBP, GRE, IP in UDP, GRE in
# UDP, VXLAN-GPE, NVGRE, Geneve; then for
# GRE: tag, bits of all fields, framing. For the others: UDP checksum, source port, tag, bits, framing. From
# the eighth on: bits of GRE; key or VNI.
ENCAP_DECAP = {
    "vxlan": b("00 00 02 00 00 00 01 00 00 00002a") + FRAME,
    "vxlan-ipv6": b("01 00 00 7f 00 44 01 00 00 00002a") + FRAME6,
    "vxlan-checksum": b("00 00 00 00 00 00 01 00 00 00002a") + FRAME,
    "vxlan-offload": b("00 00 01 00 00 00 01 00 00 00002a") + FRAME6,
    "vxlan-ethernet": b("00 00 02 00 01 8a 02 00 00 ffffff") + FRAME,
    "vxlan-payload": b("00 00 02 00 00 00 00 00 00 000000") + FRAME,
    "vxlan-tagged": b("00 00 02 00 00 05 01 00 00 00002a") + TAGGED,
    "vxlan-arp": b("00 00 02 00 00 00 01 00 00 00002a") + ETHERNET + b("0806") + ARP,
    "gre": b("00 02 00 00 01 00 00 00 00000000") + IPV4,
    "gre-all-fields": b("00 02 00 00 01 00 00 0e 01020304") + IPV4,
    "gre-frame": b("01 02 00 00 01 00 00 01 00000000") + FRAME6,
    "ip-in-udp": b("00 03 00 00 00 00 01 00 00000000") + IPV4,
    "ip-in-udp-ipv6": b("01 03 00 00 00 88 01 00 00000000") + ipv6(udp(b"hello", 2000)),
    "ip-in-udp-not-ip": b("00 03 00 00 00 00 01 00 00000000") + FRAME,
    "vxlan-gbp": b("00 01 02 00 00 00 01 00 00 00002a") + FRAME,
    "gre-in-udp": b("01 04 00 00 00 00 01 0e 01020304") + IPV4,
    "vxlan-gpe-ip": b("00 05 00 00 00 00 01 00 00 00002a") + IPV4,
    "vxlan-gpe-frame": b("00 05 00 00 00 00 01 01 00 00002a") + FRAME6,
    "nvgre": b("00 06 00 00 01 00 00 00 00 001389") + FRAME,
    "geneve": b("00 07 00 00 00 00 01 01 00 00002a") + FRAME,
    "geneve-options": b("01 07 00 00 00 00 01 01 03 01022a") + FRAME,
    "geneve-ip": b("00 07 00 00 00 00 01 00 02 00002a") + IPV4,
}

GENEVE_OPTION = {
    "none": b"",
    "three": GENEVE_OPTIONS,
    "longest": b("ffff ff 1f") + bytes(124),
    "reserved-bits": b("0102 03 e1 00000000"),
    "past-the-end": b("0102 03 02 00000000"),
    "header-cut-off": b("0102 03 00 0102 03"),
}

# Four bytes choose sizes, limits, times and the seed; each six are a call. Its number is modulo 64: put 0, delete
# 12, delete a destination 15, learn 18, flush 32, 34 and 35, wait 36, clock back 39, sleep 40, sweep 41, ageing 43,
# remotes 44 (e: add, find or learn, find or add), 48 and 50, VNIs 51 to 53, lists 54 to 60, workers 61.
REMOTES = b("2c 07 00 00 00 00" "2c 08 00 00 00 00" "2c 09 00 00 00 01" "2c 04 02 00 00 02")
VNIS = b("33 00 00 00 00 00" "33 01 00 00 00 00")
LEARN = b("12 00 04 00 00 00" "12 00 05 10 00 00" "12 01 04 00 00 00" "12 00 04 10 00 00")

TABLES = {
    "put-and-delete": b("0f 00 04 00")
    + REMOTES
    + b("00 00 04 04 03 00" "00 00 00 04 00 01" "00 00 00 14 00 01" "00 00 04 14 00 02" "0f 00 00 04 00 00" "0c 00 04 00 00 00"),
    "learn-move-age": b("3f 00 04 00") + REMOTES + VNIS + LEARN + b("24 03 00 00 00 00" "24 03 00 00 00 00" "29 00 00 00 00 00"),
    "full-table": b("3c 00 04 01")
    + REMOTES
    + VNIS
    + b("".join(f"12 00 {mac:02x} 00 00 00" for mac in range(4, 12)))
    + b("".join(f"12 01 {mac:02x} 10 00 00" for mac in range(4, 12))),
    "quota-limit": b("3d 10 04 02") + REMOTES + VNIS + LEARN * 3,
    "flushes": b("3f 00 04 03") + REMOTES + VNIS + LEARN + b("23 00 00 00 00 00" "22 00 00 00 00 00") + LEARN + b("20 0c 07 00 01 00"),
    "sleep": b("3f 00 04 04") + REMOTES + VNIS + LEARN + b("28 00 00 00 00 00") + LEARN + b("29 00 00 00 00 00") + LEARN,
    "lists-and-groups": b("3f 00 04 05")
    + REMOTES
    + b("36 00 01 02 00 00" "36 00 01 02 00 01" "00 00 00 02 00 00" "00 00 04 03 00 00" "3a 00 01 00 00 00" "3c 00 00 00 00 00"),
    "worker": b("13 00 04 06") + b("3d 00 00 00 00 00") + REMOTES + b("30 00 00 00 00 00" "2c 0a 00 00 00 00" "3d 02 00 00 00 00" "2c 0a 00 00 00 00"),
    "vni-comes-back": b("33 00 04 07") + REMOTES + VNIS + LEARN + b("34 00 00 00 00 00" "33 00 00 00 00 00" "29 00 00 00 00 00" "29 00 00 00 00 00" "33 00 00 00 00 00") + LEARN,
    "clock-back": b("3f 00 04 08") + REMOTES + VNIS + LEARN + b("27 03 00 00 00 00") + LEARN + b("24 03 00 00 00 00") * 3,
}

# Settings, then operations of eight bytes: kind, VNI, host, any address, and what the kind needs.
FLOODS = b("02 00 00 00 00 00 00 00" "02 00 00 00 00 01 00 00" "02 01 00 00 00 02 00 00")
HEAR = b("0c 00 01 02 01 00 01 20" "0c 00 01 02 01 01 01 20" "0c 00 03 02 01 05 01 20" "0c 01 01 02 01 02 01 20")
SAY = b("08 00 02 01 00 00 01 20" "08 01 02 01 00 00 01 20" "08 00 02 08 00 00 01 20" "08 00 02 09 00 00 01 20")

VTEP = {
    "learn-and-send": b("02") + FLOODS + HEAR + SAY,
    "linux": b("13") + FLOODS + HEAR + SAY,
    "strangers": b("16") + FLOODS + HEAR + SAY,
    "static": b("12") + FLOODS + b("00 00 01 00 02 03 01 00" "00 00 03 00 00 00 01 00" "00 01 01 00 01 00 01 00") + HEAR + SAY,
    "age": b("12") + FLOODS + HEAR + b("04 00 00 00 1f 00 00 00" "06 00 00 00 00 00 00 00") + SAY + b("05 00 00 00 ff 00 00 00") + HEAR,
    "proxy": b("0a") + FLOODS + b("03 00 04 00 05 00 00 00" "08 00 02 08 00 00 00 05" "08 00 02 08 00 00 00 06" "08 00 04 08 00 00 00 05"),
    "delete": b("12") + FLOODS + HEAR + b("01 00 01 00 00 00 00 00" "01 00 01 00 00 00 00 00") + SAY,
    "noise": b("12") + FLOODS + b("07 00 45 00 00 20 00 00" "07 01 ff ff ff ff ff ff") + SAY,
    "unknown-vni": b("12") + HEAR + SAY,
}

# The first byte chooses who handles packets: flannel's backend 0, a GRE tunnel 1, a reorder buffer 2, VTEPs one by one
# and in bursts 3, a VTEP 5, codecs and rewrites 7. Then come settings, and what happens.
def frame(at, changes="00"):
    """The number of a frame in samples.rs; how many bytes are changed, whether it is cut (4) and set right (8)."""
    return bytes([at]) + b(changes)


def send(frame, meta="00", room="00", burst=0):
    return bytes([3 + 8 * burst]) + (b(meta) + frame + b(room)) * (1 + burst)


def route(frame, meta="00"):
    return b("02") + b(meta) + frame + b("00" "00")


def arrive(frame, choice=6, sender=0, burst=0):
    return bytes([6 + 8 * burst]) + (b("00") + bytes([choice, sender]) + frame + b("00" "00")) * (1 + burst)


def report(frame, kind=0, mtu=1000, remote=0):
    return b("01") + bytes([remote]) + frame + b("00" "00") + struct.pack(">BH", kind, mtu) + b("00")


# Of the frames, 4 + 7 n are for host n + 1: ARP and ND, a datagram, those of 1,500, 900 and 1,400 bytes; from 53 on
# they are for groups and routers, and from 64 on there are tags.
HOSTS = [frame(4 + 7 * host + 3) for host in range(7)]
FRAMES = [frame(at) for at in (0, 1, 5, 6, 7, 8, 9, 10, 53, 55)]
ROUTERS = [frame(at) for at in (57, 58, 59, 60)]
TAGGED = [frame(at) for at in (64, 65, 66, 67, 69, 117)]
# Bits: linux, l3, gbp, inner VLANs, learning, snooping, remote checksums, UDP checksums. Router's address, accept,
# localbypass off, fragment, inherit, rates, any destination, no checksums. Framing, proxy, short circuit, too big; trunk.
PLAIN = b("05" "10 00" "00 00 00 00" "00")

ENGINE = {
    "hosts": PLAIN + b"".join(map(send, HOSTS)),
    "frames": PLAIN + b"".join(map(send, FRAMES)),
    "proxy": b("05" "30 00" "00 01 00 00" "00") + b"".join(map(send, FRAMES[1:])) + arrive(frame(61)) + arrive(frame(62)),
    "kernel-proxy": b("05" "11 04" "00 02 00 00" "00") + b"".join(map(send, FRAMES)),
    "changed": PLAIN + send(frame(14, "09 16 01")) + send(frame(15, "0d 17 02 0200")) + send(frame(18, "04 0030")),
    "too-long-to-nobody": PLAIN + send(frame(15, "02 0000 0500"), "01"),
    "trunk": b("05" "18 00" "00 00 00 00" "01") + b"".join(send(it, "04") for it in TAGGED) + arrive(frame(7)),
    "trunk-little-room": b("05" "18 00" "00 00 00 00" "01") + send(frame(84), "04", "98") + send(frame(84), "04", "9c"),
    "routed": b("05" "12 01" "00 00 00 00" "00") + b"".join(map(route, HOSTS + ROUTERS)) + route(frame(15)),
    "short-circuit": b("05" "12 00" "00 00 01 00" "00") + b"".join(map(send, ROUTERS)),
    "known-of": PLAIN + send(HOSTS[0], "20 00 00") + send(HOSTS[1], "60 00 00 01 0007 0008") + send(frame(15), "80 2a 0200"),
    "arrivals": PLAIN + arrive(FRAMES[0]) + arrive(FRAMES[4], 7, 3) + arrive(FRAMES[8], 4, 6) + arrive(TAGGED[0], 7),
    "arrivals-routed": b("05" "12 40" "00 00 00 00" "01") + arrive(frame(59)) + arrive(frame(59), 7, 3),
    "arrivals-payload": b("05" "10 00" "01 00 00 00" "00") + b("06" "00 00" "06 00" "00 00" "00 00"),
    "extensions": b("05" "54 00" "00 00 00 00" "00") + b("06" "00" "0e 00" "00 00" "8040" "00 00") + b("06" "00" "0f 00" "00 00" "91" "00 00"),
    "next-hops": b("05" "10 00" "02 00 00 00" "00") + send(frame(53)) + b("06" "00" "02 01" "00 00") + send(HOSTS[1]) + b("06" "00" "03 00" "00 00"),
    "path-mtu": PLAIN + send(frame(15)) + report(frame(7)) + send(frame(50)) + report(frame(7), 0, 1300, 4) + b("00 ff 00 ff 00 ff") + send(frame(50)),
    "unreachable": PLAIN + report(frame(7), 2 + 8) + report(frame(7), 3, 0, 3) + report(frame(2)),
    "bursts": b("03" "30 00" "00 01 00 00" "00") + send(HOSTS[0], burst=3) + arrive(HOSTS[1], burst=3) + send(frame(53), burst=1),
    "bursts-routed": b("03" "12 00" "02 00 00 00" "00") + b("12") + (b("00") + HOSTS[1] + b("00" "00")) * 3,
    "flannel": b("00" "00 00") + b"".join(b("00") + it + b("00" "00" "00") for it in HOSTS + [frame(8)]),
    "flannel-narrow": b("00" "09 01") + b"".join(b("00") + it + b("00" "00" "00") for it in (frame(8), frame(10), frame(58))),
    "flannel-arrivals": b("00" "00 01") + b"".join(b("01" "00") + it + b("00" "01" "00" "00") for it in HOSTS),
    "gre": b("01" "00 00") + b("01") + HOSTS[0] + b("00" "00") + b("03" "00 00") + HOSTS[0] + b("00" "00" "00"),
    "gre-all-fields": b("01" "1f 02") + b("01") + HOSTS[0] + b("00") + (b("03" "00 00") + HOSTS[0] + b("00" "00")) * 2,
    "gre-keepalive": b("01" "44 00") + b("03" "00 01") + HOSTS[0] + b("00" "00" "00"),
    "gre-path-mtu": b("01" "00 00") + b("06") + HOSTS[0] + b("00" "00" "00 03e8" "00") + b("00 0300") + b("06") + HOSTS[0] + b("00" "00" "0a 0000" "00"),
    "rewrites-udp": b("07" "02") + HOSTS[1] + b("00" "01 0000 00" "04 0000 01" "06 1234 00" "08 0007 00"),
    "rewrites-tcp": b("07" "02") + frame(63) + b("00" "02 002e 00" "05 0000 02" "07 1234 00" "03 0003 00"),
    "rewrites-ipv6": b("07" "02") + frame(10) + b("00" "00 0001 00" "01 0000 00" "04 0000 03" "05 0000 04"),
    "rewrites-icmpv6": b("07" "02") + frame(5) + b("00" "04 0000 03" "05 0000 04" "02 002e 00" "06 0000 00"),
    "quote": b("07" "00" "10 00 00 00 00 00 00") + report(frame(7))[1:] + b("0003 01 0020"),
    "quote-ipv6": b("07" "00" "10 00 00 00 00 00 00") + report(frame(7), 0, 1300, 3)[1:] + b("0009 07 0040"),
    "solicitation": b("07" "01") + frame(5) + b("00"),
    "solicitation-forwarded": b("07" "01") + frame(5, "01 15 40") + b("00"),
    "advertisement": b("07" "01") + frame(62) + b("00"),
    "in-order": b("02" "00") + b("00 02" "00 01" "00 00" "00 04" "01 03" "04 32 07" "02" "08 8000 01"),
    "in-order-full": b("02" "01") + b("00 00" "00 02" "00 04" "00 06" "00 08" "00 0a" "01 0c" "04 ff 0f"),
}

TARGETS = {
    "wire": WIRE,
    "decap": DECAP,
    "encap_decap": ENCAP_DECAP,
    "geneve_option": GENEVE_OPTION,
    "tables": TABLES,
    "vtep": VTEP,
    "engine": ENGINE,
}


def main(folder):
    for target, seeds in TARGETS.items():
        shutil.rmtree(folder / target, ignore_errors=True)
        (folder / target).mkdir(parents=True)
        for name, data in seeds.items():
            (folder / target / name).write_bytes(data)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "seeds")
