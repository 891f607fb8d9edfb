//! Where `decap --json` and tshark see different tunnels, and why we are right.

/// Packets of a capture, numbered from 1.
pub(crate) struct Difference {
    pub(crate) capture: &'static str,
    pub(crate) frames: &'static [u64],
    pub(crate) why: &'static str,
}

/// Every difference: one that is gone is to be taken off the list.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        capture: "linux61-qemu-gre-fou-greinudp5556-ipinudp5557.pcap",
        frames: &[11, 26, 30],
        why: ICMP_QUOTE,
    },
    Difference {
        capture: "ovs31-erspan-l3gre-gpe-v6underlay.pcap",
        frames: &[2, 4, 10, 12, 14],
        why: ICMP_QUOTE,
    },
    Difference { capture: "t50-gre-csum-key-seq.pcap", frames: &[7, 9, 11, 13, 15, 17], why: ICMP_QUOTE },
    Difference { capture: "tests__bigtcp-ipv6-geneve-ipv4.pcap", frames: &[1], why: JUMBO },
    Difference { capture: "tests__bigtcp-ipv6-geneve-ipv6.pcap", frames: &[1], why: JUMBO },
    Difference { capture: "tests__bigtcp-ipv6-vxlan-ipv4.pcap", frames: &[1], why: JUMBO },
    Difference { capture: "tests__bigtcp-ipv6-vxlan-ipv6.pcap", frames: &[1], why: JUMBO },
    Difference {
        capture: "tests__data__parsing__geneve__18_geneve_udp_port_direction_matrix.pcap",
        frames: &[2],
        why: SOURCE_PORT,
    },
    Difference {
        capture: "tests__data__parsing__vxlan__17_vxlan_udp_port_and_header_matrix.pcap",
        frames: &[3],
        why: SOURCE_PORT,
    },
    Difference {
        capture: "tests__various_gre.pcap",
        frames: &[11, 16, 41, 46, 64, 70, 87, 92],
        why: META_DATA,
    },
];

const ICMP_QUOTE: &str = "RFC 792 and RFC 4443, section 3: an ICMP error quotes the first bytes of the packet \
    that it is about. That packet came to nothing, and no endpoint decapsulates a quote.";

const JUMBO: &str = "RFC 8200, section 3: a payload length of zero is one that does not fit the field. tshark \
    4.0 stops there; we read to the end of the frame and say that an endpoint would drop the packet, which has \
    no jumbo payload option (RFC 2675, section 2).";

const SOURCE_PORT: &str = "RFC 7348, section 5, and RFC 8926, section 3.3: the destination port tells what UDP \
    carries. tshark takes the source port for as good.";

const META_DATA: &str = "RFC 2784, section 2.4: the payload is what the protocol type says, here 0x8909, Cisco \
    meta data. It is neither IP nor Ethernet, but a header in front of one; tshark knows how to skip it.";
