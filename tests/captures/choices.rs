//! Settings of `examples/encap`, to be combined in all ways.

/// A setting: flags, and the fields that tshark must show for them.
type Choice = (&'static str, &'static [(&'static str, &'static str)]);

const TUNNELS: [&[Choice]; 8] = [
    &[
        ("--type vxlan --vni 0 --udp-checksum zero", &[("vxlan.vni", "0"), ("udp.checksum", "0x0000")]),
        (
            "--type vxlan --vni 16777215 --udp-checksum full --port 8472",
            &[("vxlan.vni", "16777215"), ("udp.checksum.status", "1"), ("udp.dstport", "8472")],
        ),
        (
            "--type vxlan --vni 4242 --inner-vlan --udp-checksum offload --source-ports 50000-50000 --seed 99",
            &[("vxlan.vni", "4242"), ("udp.checksum.status", "1"), ("udp.srcport", "50000")],
        ),
    ],
    &[
        ("--type ip-udp --udp-checksum zero", &[("udp.checksum", "0x0000")]),
        ("--type ip-udp --udp-checksum full", &[("udp.checksum.status", "1"), ("udp.dstport", "8285")]),
        (
            "--type ip-udp --udp-checksum offload --source-ports 8285-8285",
            &[("udp.checksum.status", "1"), ("udp.srcport", "8285")],
        ),
    ],
    &[
        ("--type gre", &[("gre.flags_and_version", "0x0000")]),
        ("--type gre --sequence", &[("gre.flags_and_version", "0x1000"), ("gre.sequence_number", "0")]),
        ("--type gre --key 0", &[("gre.flags_and_version", "0x2000"), ("gre.key", "0x00000000")]),
        (
            "--type gre --key 4294967295 --sequence",
            &[("gre.flags_and_version", "0x3000"), ("gre.key", "0xffffffff"), ("gre.sequence_number", "0")],
        ),
        (
            "--type gre --checksum --headroom 100",
            &[("gre.flags_and_version", "0x8000"), ("gre.checksum.status", "1")],
        ),
        (
            "--type gre --checksum --sequence",
            &[
                ("gre.flags_and_version", "0x9000"),
                ("gre.checksum.status", "1"),
                ("gre.sequence_number", "0"),
            ],
        ),
        (
            "--type gre --checksum --ikey 6 --okey 5",
            &[("gre.flags_and_version", "0xa000"), ("gre.checksum.status", "1"), ("gre.key", "0x00000005")],
        ),
        (
            "--type gre --checksum --key 7 --sequence",
            &[
                ("gre.flags_and_version", "0xb000"),
                ("gre.checksum.status", "1"),
                ("gre.key", "0x00000007"),
                ("gre.sequence_number", "0"),
            ],
        ),
    ],
    &[
        ("--type gre --payload ethernet", &[("gre.flags_and_version", "0x0000"), ("gre.proto", "0x6558")]),
        (
            "--type gre --payload ethernet --checksum --key 7 --sequence",
            &[
                ("gre.flags_and_version", "0xb000"),
                ("gre.proto", "0x6558"),
                ("gre.checksum.status", "1"),
                ("gre.key", "0x00000007"),
                ("gre.sequence_number", "0"),
            ],
        ),
    ],
    &[
        (
            "--type vxlan-gbp --vni 77 --inner-vlan --group 65535 --dont-learn",
            &[
                ("vxlan.flags", "0x8840"),
                ("vxlan.gbp", "65535"),
                ("vxlan.vni", "77"),
                ("udp.dstport", "4789"),
            ],
        ),
        (
            "--type vxlan-gbp --vni 78 --group 1 --applied --udp-checksum full",
            &[
                ("vxlan.flags", "0x8808"),
                ("vxlan.gbp", "1"),
                ("vxlan.vni", "78"),
                ("udp.checksum.status", "1"),
            ],
        ),
        (
            "--type vxlan-gpe --vni 79 --inner-vlan",
            &[
                ("vxlan.flags", "0x0c"),
                ("vxlan.next_proto", "3"),
                ("vxlan.vni", "79"),
                ("udp.dstport", "4790"),
            ],
        ),
        (
            "--type vxlan-gpe --vni 80 --payload ip --udp-checksum offload",
            &[("vxlan.flags", "0x0c"), ("vxlan.vni", "80"), ("udp.checksum.status", "1")],
        ),
    ],
    &[
        (
            "--type geneve --vni 81 --udp-checksum full",
            &[
                ("geneve.flags", "0x00"),
                ("geneve.proto_type", "0x6558"),
                ("geneve.vni", "0x000051"),
                ("geneve.option.length", "0"),
                ("udp.dstport", "6081"),
                ("udp.checksum.status", "1"),
            ],
        ),
        (
            "--type geneve --vni 82 --payload ip --udp-checksum offload --option 0102:80:deadbeef --option 0103:1:",
            &[
                ("geneve.flags", "0x40"),
                ("geneve.vni", "0x000052"),
                ("geneve.option.length", "12"),
                ("geneve.option.class", "0x0102"),
                ("geneve.option.type", "0x80"),
                ("udp.checksum.status", "1"),
            ],
        ),
    ],
    &[
        ("--type nvgre --vni 4096", &[("gre.flags_and_version", "0x2000"), ("gre.proto", "0x6558")]),
        ("--type nvgre --vni 16777214", &[("gre.flags_and_version", "0x2000"), ("gre.proto", "0x6558")]),
    ],
    &[
        (
            "--type gre-udp --udp-checksum full",
            &[("gre.flags_and_version", "0x0000"), ("udp.dstport", "4754"), ("udp.checksum.status", "1")],
        ),
        (
            "--type gre-udp --payload ethernet --checksum --key 7 --sequence --udp-checksum offload",
            &[
                ("gre.flags_and_version", "0xb000"),
                ("gre.proto", "0x6558"),
                ("gre.checksum.status", "1"),
                ("gre.key", "0x00000007"),
                ("gre.sequence_number", "0"),
                ("udp.checksum.status", "1"),
            ],
        ),
    ],
];

const UNDERLAYS: [(&str, &[Choice]); 2] = [
    (
        "--local 203.0.113.5 --remote 203.0.113.66",
        &[
            ("", &[("ip.flags.df", "1"), ("ip.id", "0x0000")]),
            ("--df set", &[("ip.flags.df", "1"), ("ip.id", "0x0000")]),
            ("--df unset", &[("ip.flags.df", "0")]),
            ("--df inherit", &[]),
            ("--df inherit-ipv4", &[]),
        ],
    ),
    (
        "--local 2001:db8::5 --remote 2001:db8:ffff::66",
        &[
            ("", &[("ipv6.flow", "0x000000")]),
            ("--flow-label 703710", &[("ipv6.flow", "0x0abcde")]),
            ("--flow-label hash", &[]),
            ("--flow-label inherit", &[]),
        ],
    ),
];

const FRAMINGS: [Choice; 3] = [
    ("--framing ip", &[("vlan.id", "")]),
    (
        "--framing ethernet --source-mac 02:00:00:00:0a:01 --next-hop-mac 02:00:00:00:0a:02",
        &[("eth.src", "02:00:00:00:0a:01"), ("eth.dst", "02:00:00:00:0a:02")],
    ),
    (
        "--framing ethernet --vlan 4094:5",
        &[
            ("eth.src", "02:00:5e:00:00:01"),
            ("eth.dst", "02:00:5e:00:00:02"),
            ("vlan.id", "4094"),
            ("vlan.priority", "5"),
        ],
    ),
];

const TTLS: [&str; 3] = ["", "--ttl 255", "--ttl inherit"];
const DSCPS: [&str; 3] = ["", "--dscp 63", "--dscp inherit"];
const ECNS: [&str; 3] = ["", "--ecn compatibility", "--ecn linux"];

/// All combinations of flags, each with the fields that they determine.
pub(crate) fn combinations() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let mut all = Vec::new();
    for tunnel in TUNNELS.iter().copied().flatten() {
        for (addresses, underlay) in UNDERLAYS {
            for underlay in underlay {
                for framing in &FRAMINGS {
                    for ttl in TTLS {
                        for dscp in DSCPS {
                            for ecn in ECNS {
                                let words =
                                    [tunnel.0, addresses, underlay.0, framing.0, ttl, dscp, ecn].join(" ");
                                all.push((words, [tunnel.1, underlay.1, framing.1].concat()));
                            }
                        }
                    }
                }
            }
        }
    }
    all
}
