#!/usr/bin/env python3
"""What scapy makes of packets, for the test `scapy` beside this file.

    scapy_oracle.py write SEED COUNT   builds COUNT random packets of every kind: a JSON object a line,
                                       with the bytes, the fields, and what must be said of the checksum
    scapy_oracle.py read               takes such objects, of which it uses `kind` and `hex`, from its
                                       input, and prints the fields that it finds
"""

import ipaddress
import json
import random
import sys

from scapy.layers.inet import (
    IP,
    UDP,
    IPOption,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_Router_Alert,
    IPOption_Security,
    IPOption_Stream_Id,
    IPOption_Traceroute,
)
from scapy.layers.inet6 import (
    HBHOptUnknown,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
    RouterAlert,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scapy.utils import checksum

CLASSES = {
    "ethernet": Ether,
    "vlan": Dot1Q,
    "arp": ARP,
    "ipv4": IP,
    "ipv6": IPv6,
    "udp": UDP,
    "vxlan": VXLAN,
    "gre": GRE,
}


def ip6(address):
    """Hexadecimal digits without colons: there is one way to write those."""
    return ipaddress.IPv6Address(address).packed.hex()


def fields(kind, packet):
    """The fields of the first header, by names that the test knows."""
    p = packet
    if kind == "ethernet":
        return {"dst": p.dst, "src": p.src, "type": p.type}
    if kind == "vlan":
        return {"prio": p.prio, "dei": p.dei == 1, "vlan": p.vlan, "type": p.type}
    if kind == "arp":
        return {"op": p.op, "hwsrc": p.hwsrc, "psrc": p.psrc, "hwdst": p.hwdst, "pdst": p.pdst}
    if kind == "ipv4":
        options = bytes(p)[20 : p.ihl * 4] if p.ihl > 5 else b""
        return {
            "tos": p.tos,
            "len": p.len,
            "id": p.id,
            "df": bool(p.flags.DF),
            "mf": bool(p.flags.MF),
            "frag": p.frag,
            "ttl": p.ttl,
            "proto": p.proto,
            "chksum": p.chksum,
            "src": p.src,
            "dst": p.dst,
            "options": options.hex(),
        }
    if kind == "ipv6":
        return {
            "tc": p.tc,
            "fl": p.fl,
            "plen": p.plen,
            "nh": p.nh,
            "hlim": p.hlim,
            "src": ip6(p.src),
            "dst": ip6(p.dst),
        }
    if kind == "udp":
        return {"sport": p.sport, "dport": p.dport, "len": p.len, "chksum": p.chksum}
    if kind == "vxlan":
        # What is between flags and VNI has other names under Group Policy and GPE.
        if p.flags.G:
            between = int(p.gpflags) << 16 | p.gpid
        elif p.flags.NextProtocol:
            between = p.reserved0 << 8 | p.NextProtocol
        else:
            between = p.reserved1
        return {"flags": int(p.flags), "between": between, "vni": p.vni, "last": p.reserved2}
    if kind == "gre":
        return {
            "reserved": p.strict_route_source << 11 | p.recursion_control << 8 | p.flags << 3,
            "proto": p.proto,
            "chksum": p.chksum if p.chksum_present else None,
            "key": p.key if p.key_present else None,
            "sequence": p.sequence_number if p.seqnum_present else None,
        }
    raise ValueError(kind)


def read():
    for line in sys.stdin:
        sent = json.loads(line)
        kind = sent["kind"]
        print(json.dumps(fields(kind, CLASSES[kind](bytes.fromhex(sent["hex"])))))


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def bits(self, count):
        return self.random.getrandbits(count)

    def chance(self, part):
        return self.random.random() < part

    def raw(self, most):
        return self.random.randbytes(self.random.randint(0, most))

    def mac(self):
        return ":".join(f"{byte:02x}" for byte in self.random.randbytes(6))

    def ip4(self):
        return str(ipaddress.IPv4Address(self.bits(32)))

    def ip6(self):
        return str(ipaddress.IPv6Address(self.bits(128)))

    def ethertype(self):
        # Below are lengths, and scapy has other classes for those and for PPTP.
        while True:
            value = self.random.choice([0x0800, 0x86DD, 0x0806, 0x6558, self.random.randint(0x600, 0xFFFF)])
            if value != 0x880B:
                return value

    def write(self, kind):
        """One packet: an object of what the test has to find."""
        return getattr(self, "write_" + kind)()

    def found(self, kind, data, payload, **more):
        return {
            "kind": kind,
            "hex": data.hex(),
            "fields": fields(kind, CLASSES[kind](data)),
            "payload": payload.hex(),
            **more,
        }

    def write_ethernet(self):
        payload = self.raw(60)
        header = Ether(dst=self.mac(), src=self.mac(), type=self.ethertype())
        return self.found("ethernet", bytes(header / Raw(payload)), payload)

    def write_vlan(self):
        payload = self.raw(60)
        tag = Dot1Q(prio=self.bits(3), dei=self.bits(1), vlan=self.bits(12), type=self.ethertype())
        return self.found("vlan", bytes(tag / Raw(payload)), payload)

    def write_tags(self):
        """A frame with a stack of tags."""
        payload = self.raw(60)
        ids = [self.bits(12) for _ in range(self.random.randint(0, 4))]
        packet = Ether(dst=self.mac(), src=self.mac())
        packet.type = self.random.choice([0x8100, 0x88A8, 0x9100]) if ids else 0x0800
        for index, id in enumerate(ids):
            last = index + 1 == len(ids)
            packet /= Dot1Q(vlan=id, type=0x0800 if last else self.random.choice([0x8100, 0x88A8, 0x9100]))
        data = bytes(packet / Raw(payload))
        return {"kind": "tags", "hex": data.hex(), "payload": payload.hex(), "outer": ids[0] if ids else None}

    def write_arp(self):
        padding = self.raw(18)
        packet = ARP(
            op=self.random.choice([1, 2, self.bits(16)]),
            hwsrc=self.mac(),
            psrc=self.ip4(),
            hwdst=self.mac(),
            pdst=self.ip4(),
        )
        return self.found("arp", bytes(packet) + padding, padding)

    def options(self):
        kinds = [
            lambda: IPOption_NOP(),
            lambda: IPOption_Router_Alert(alert=self.bits(16)),
            lambda: IPOption_RR(routers=[self.ip4() for _ in range(self.random.randint(1, 3))]),
            lambda: IPOption_LSRR(routers=[self.ip4()]),
            lambda: IPOption_Stream_Id(security=self.bits(16)),
            lambda: IPOption_Security(security=self.bits(16), compartment=self.bits(16)),
            lambda: IPOption_Traceroute(id=self.bits(16), outbound_hops=1, return_hops=2, originator_ip=self.ip4()),
            lambda: IPOption(bytes([0x9E, 6]) + self.random.randbytes(4)),
        ]
        while True:
            options = [self.random.choice(kinds)() for _ in range(self.random.randint(0, 4))]
            if sum(len(bytes(option)) for option in options) <= 40:
                return options

    def write_ipv4(self):
        payload, padding = self.raw(60), self.raw(10)
        header = IP(tos=self.bits(8), id=self.bits(16), ttl=self.bits(8), src=self.ip4(), dst=self.ip4())
        # Bit 2 of the flags is the reserved one.
        header.flags, header.frag, header.proto = self.bits(3), self.bits(13), 253
        header.options = self.options()
        if self.chance(0.2):
            header.chksum = self.bits(16)
        data = bytes(header / Raw(payload))
        good = checksum(data[: (data[0] & 15) * 4]) == 0
        return self.found("ipv4", data + padding, payload, checksum="Good" if good else "Bad")

    def extension(self, index):
        kind = self.random.randrange(5)
        # Hop-by-hop options follow the header of IPv6 only.
        if kind == 0 and index == 0:
            options = [self.random.choice([RouterAlert(value=self.bits(16)), Jumbo(jumboplen=self.bits(32))])]
            return 0, IPv6ExtHdrHopByHop(options=options)
        if kind <= 1:
            data = self.raw(30)
            return 60, IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optlen=len(data), optdata=data), PadN()])
        if kind == 2:
            return 43, IPv6ExtHdrRouting(addresses=[self.ip6() for _ in range(self.random.randint(0, 3))])
        if kind == 3:
            header = IPv6ExtHdrFragment(offset=self.bits(13), m=self.bits(1), id=self.bits(32))
            header.res1 = self.bits(8)
            return 44, header
        icv = self.random.randbytes(4 * self.random.randint(0, 6))
        return 51, AH(payloadlen=len(icv) // 4 + 1, spi=self.bits(32), seq=self.bits(32), icv=icv)

    def write_ipv6(self):
        payload, padding = self.raw(60), self.raw(10)
        header = IPv6(tc=self.bits(8), fl=self.bits(20), hlim=self.bits(8), src=self.ip6(), dst=self.ip6())
        extensions = [self.extension(index) for index in range(self.random.choice([0, 0, 1, 2, 3, 8]))]
        # The numbers are set by hand, since scapy knows no AH over IPv6.
        numbers = [number for number, _ in extensions] + [253]
        header.nh = numbers[0]
        chain, rest = [], b""
        for (number, extension), after in zip(extensions, numbers[1:]):
            extension.nh = after
            data = bytes(extension)
            rest += data
            fragment = None
            if number == 44:
                fragment = {"offset": extension.offset, "m": extension.m == 1, "id": extension.id}
            chain.append({"protocol": number, "len": len(data), "fragment": fragment})
        header.plen = len(rest) + len(payload)
        data = bytes(header) + rest + payload
        return self.found("ipv6", data + padding, payload, chain=chain, upper=numbers[-1])

    def write_udp(self):
        """A datagram inside an IP packet, whose addresses its checksum covers."""
        payload = self.raw(60)
        if self.chance(0.5):
            # Without options: a source route would put its last address into the checksum.
            ip = IP(src=self.ip4(), dst=self.ip4(), tos=self.bits(8), id=self.bits(16))
        else:
            ip = IPv6(src=self.ip6(), dst=self.ip6())
        header = UDP(sport=self.bits(16), dport=self.bits(16))
        packet = bytes(ip / header / Raw(payload))
        at = len(packet) - len(payload) - 8
        good = int.from_bytes(packet[at + 6 : at + 8], "big")
        state = self.random.choice(["Good", "Good", "Absent", "Bad"])
        # One flipped bit is not the other zero.
        stated = {"Good": good, "Absent": 0, "Bad": good ^ 1 << self.bits(4)}[state]
        if stated == 0:
            state = "Absent"
        packet = packet[: at + 6] + stated.to_bytes(2, "big") + packet[at + 8 :]
        found = self.found("udp", packet[at:], payload, checksum=state)
        return {**found, "packet": packet[:at].hex()}

    def write_vxlan(self):
        payload = self.raw(60)
        header = VXLAN(vni=self.bits(24))
        if self.chance(0.7):
            header.flags = self.bits(8)
            # Group Policy and GPE at once overlap; scapy puts their fields one behind the other.
            if header.flags.G and header.flags.NextProtocol:
                header.flags = int(header.flags) & ~0x80
            for name, count in [("reserved0", 16), ("NextProtocol", 8), ("gpflags", 8), ("gpid", 16)]:
                setattr(header, name, self.bits(count))
            header.reserved1, header.reserved2 = self.bits(24), self.bits(8)
        return self.found("vxlan", bytes(header / Raw(payload)), payload)

    def write_gre(self):
        payload = self.raw(60)
        header = GRE(chksum_present=self.bits(1), key_present=self.bits(1), seqnum_present=self.bits(1))
        header.proto, header.key, header.sequence_number = self.ethertype(), self.bits(32), self.bits(32)
        state = "Good" if header.chksum_present else "Absent"
        if self.chance(0.3):
            header.flags, header.recursion_control, header.strict_route_source = 1 + self.bits(4), self.bits(3), 1
        if self.chance(0.3):
            header.offset = self.bits(16)
        refused = None
        if self.chance(0.05):
            refused, header.routing_present = "SourceRouting", 1
        elif self.chance(0.05):
            refused, header.version = "Version", 1 + self.bits(2)
        data = bytearray(bytes(header / Raw(payload)))
        if header.chksum_present and self.chance(0.2):
            state = "Bad"
            data[4] ^= 1 << self.bits(3)
        return self.found("gre", bytes(data), payload, checksum=state, refused=refused)


def write(seed, count):
    writer = Writer(seed)
    for kind in [*CLASSES, "tags"]:
        for _ in range(count):
            print(json.dumps(writer.write(kind)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"] and len(sys.argv) == 2:
        read()
    elif sys.argv[1:2] == ["write"] and len(sys.argv) == 4:
        write(int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(__doc__)
