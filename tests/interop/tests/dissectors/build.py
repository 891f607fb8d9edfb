import json, random, sys
from scapy.all import *
from scapy.contrib.geneve import GENEVE, GeneveOptions
load_contrib('erspan')
rng = random.Random(int(sys.argv[1]))
def outer(proto):
    v6 = rng.random() < 0.5
    f = dict(ttl=rng.randrange(1, 256), ds=rng.randrange(256))
    f['ds'] &= 0xfc
    if v6:
        return Ether(src='02:00:00:00:00:51', dst='02:00:00:00:00:52')/IPv6(src='2001:db8::1', dst='2001:db8::2', hlim=f['ttl'], tc=f['ds'], nh=proto), f
    return Ether(src='02:00:00:00:00:51', dst='02:00:00:00:00:52')/IP(src='192.0.2.1', dst='192.0.2.2', ttl=f['ttl'], tos=f['ds'], flags=rng.choice(['', 'DF']), id=rng.randrange(65536), proto=proto), f
def inner(ether):
    ip = rng.choice([IP(src='10.1.0.1', dst='10.1.0.2'), IPv6(src='fd01::1', dst='fd01::2')])
    p = ip/UDP(sport=50001, dport=50002)/Raw(bytes(rng.randrange(256) for _ in range(rng.randrange(200))))
    return Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/p if ether else p
for i in range(int(sys.argv[2])):
    kind = rng.choice(['vxlan', 'vxlan-gbp', 'vxlan-gpe', 'geneve', 'gre', 'gre-udp', 'erspan2', 'erspan3'])
    out, f = outer(47 if kind in ('gre', 'erspan2', 'erspan3') else 17)
    f['kind'] = kind
    sport = rng.randrange(49152, 65536)
    vni = rng.randrange(1 << 24)
    ether = True
    if kind == 'vxlan':
        p = out/UDP(sport=sport, dport=4789)/VXLAN(flags=8, vni=vni); f['vni'] = vni
    elif kind == 'vxlan-gbp':
        f['vni'] = vni; f['group'] = rng.randrange(65536)
        p = out/UDP(sport=sport, dport=4789)/VXLAN(flags=0x88, vni=vni, gpid=f['group'], gpflags=0)
    elif kind == 'vxlan-gpe':
        f['vni'] = vni
        p = out/UDP(sport=sport, dport=4790)/VXLAN(flags=0x0c, vni=vni, NextProtocol=3)
    elif kind == 'geneve':
        f['vni'] = vni
        f['options'] = [[rng.randrange(0xff00, 0x10000), rng.randrange(128), bytes(rng.randrange(256) for _ in range(4 * rng.randrange(4))).hex()] for _ in range(rng.randrange(4))]
        opts = [GeneveOptions(classid=c, type=t, length=len(d) // 8, data=bytes.fromhex(d)) for c, t, d in f['options']]
        p = out/UDP(sport=sport, dport=6081)/GENEVE(vni=vni, options=opts)
    elif kind in ('gre', 'gre-udp'):
        ether = rng.random() < 0.5
        g = GRE()
        if rng.random() < 0.5: g.key_present = 1; g.key = f['key'] = rng.randrange(1 << 32)
        if rng.random() < 0.5: g.seqnum_present = 1; g.sequence_number = f['seq'] = rng.randrange(1 << 32)
        if rng.random() < 0.5: g.chksum_present = 1; f['checksum'] = True
        p = out/UDP(sport=sport, dport=4754)/g if kind == 'gre-udp' else out/g
        if ether: g = p[GRE]; g.proto = 0x6558
    else:
        f['session'] = rng.randrange(1024); f['vlan'] = rng.randrange(4096)
        g = GRE(seqnum_present=1, sequence_number=i)
        if kind == 'erspan2':
            f['index'] = rng.randrange(1 << 20)
            p = out/g/ERSPAN_II(session_id=f['session'], vlan=f['vlan'], index=f['index'])
        else:
            f['sgt'] = rng.randrange(65536)
            p = out/g/ERSPAN_III(session_id=f['session'], vlan=f['vlan'], sgt_other=f['sgt'], o=0, p=1)
    inside = inner(ether)
    f['payload'] = bytes(inside).hex()
    f['hex'] = bytes(p/inside).hex()
    print(json.dumps(f))
