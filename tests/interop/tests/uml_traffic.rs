//! Hosts talk to another Linux, a user-mode kernel, through the library's tunnels: ping and TCP in both directions.

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    thread,
    time::Duration,
};

use encap::{
    Packet,
    tunnel::{
        EncapMeta, Encapsulation, Inner, Payload, Profile, geneve,
        gre::{self, Tunnel},
        inspect, ip_udp, nvgre, vxlan,
    },
    wire::{Vni, erspan, geneve_option, gre::Key},
};
use interop::{
    Folder, Namespace, Need, Offload, Tap, Wire, bytes,
    line::{Host, Line, edit, line, of_endpoint, of_tunnel},
    ping, require,
    uml::{self, Uml},
    veth,
};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const OURS6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
const THEIRS6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2);

const ENDS: &str = "remote 10.99.0.1 local 10.99.0.2";

fn boot(modules: &[&str]) -> Uml {
    let mut uml = Uml::boot(modules);
    uml.sh("ip addr add 10.99.0.2/24 dev vec0; ip addr add fd99::2/64 dev vec0 nodad");
    uml.sh("ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev vec0");
    uml.sh("ip neigh add fd99::1 lladdr 02:00:00:00:00:01 dev vec0");
    uml
}

/// Ping and TCP between a host on our side and device `dev` of the kernel, which has the tunnel's MTU.
#[track_caller]
fn talk(uml: &mut Uml, net: u8, mtu: usize, line: Line) {
    let ethernet = line.ethernet;
    let device = format!("t{net}");
    assert_eq!(uml.sh(&format!("cat /sys/class/net/{device}/mtu")), mtu.to_string(), "{device}");
    uml.sh(&format!(
        "ip addr add 192.168.{net}.2/24 dev {device}; ip addr add fd{net:02}::2/64 dev {device} nodad"
    ));
    let (ours, theirs) = (format!("192.168.{net}.1"), format!("192.168.{net}.2"));
    let (ours6, theirs6) = (format!("fd{net:02}::1"), format!("fd{net:02}::2"));
    let host = Host::start(&[&format!("{ours}/24"), &format!("{ours6}/64")], mtu, uml.wire(), line);
    if !ethernet {
        host.gateway(&theirs);
        host.gateway(&theirs6);
    }
    // Every length up to the MTU goes through whole.
    ping(&host.namespace, &theirs, 3).all();
    ping(&host.namespace, &format!("-M do -s {} {theirs}", mtu - 28), 2).all();
    ping(&host.namespace, &theirs6, 2).all();
    ping(&host.namespace, &format!("-M do -s {} {theirs6}", mtu - 48), 2).all();
    let text = uml.sh(&format!("ping -n -c 2 -i 0.05 -W 2 {ours}"));
    assert!(text.contains(" 0% packet loss"), "{text}");
    let text = uml.sh(&format!("ping -n -M do -c 2 -i 0.05 -W 2 -s {} {ours}", mtu - 28));
    assert!(text.contains(" 0% packet loss"), "{text}");
    transfer(uml, &host, &ours);
    drop(host);
    uml.sh(&format!("ip link del {device}"));
    while uml.receive(Duration::ZERO).is_some() {}
}

/// Half a megabyte to the kernel and back; the kernel sends what it has read from a file that both have.
#[track_caller]
fn transfer(uml: &mut Uml, host: &Host, address: &str) {
    let address: IpAddr = address.parse().unwrap();
    let folder = Folder::new("transfer");
    let data: Vec<u8> = (0..500_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let file = folder.0.join("data");
    fs::write(&file, &data).unwrap();
    let sum = std::process::Command::new("cksum").stdin(fs::File::open(&file).unwrap()).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();

    let listener = host.namespace.enter(|| TcpListener::bind((address, 7_000)).unwrap());
    let sending = data.clone();
    let server = thread::spawn(move || {
        let (mut down, _) = listener.accept().unwrap();
        down.write_all(&sending).unwrap();
        drop(down);
        let (mut up, _) = listener.accept().unwrap();
        up.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut received = Vec::new();
        up.read_to_end(&mut received).map(|_| received)
    });
    let read = uml.sh(&format!("bash -c 'timeout 15 cksum </dev/tcp/{address}/7000'"));
    assert_eq!(read, sum.trim(), "to the kernel");
    uml.sh(&format!("bash -c 'timeout 15 cat {} >/dev/tcp/{address}/7000'", file.display()));
    let received = server.join().unwrap().unwrap();
    assert!(received == data, "from the kernel: {} of {} bytes", received.len(), data.len());
}

#[test]
fn gre_with_keys_checksums_and_sequence_numbers() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let mut uml = boot(&["ip_gre", "ip6_gre"]);
    uml.sh(&format!(
        "ip tunnel add t10 mode gre {ENDS} ttl 255 ikey 0x111111 okey 0x222222 csum seq; ip link set t10 up"
    ));
    let ours = Tunnel::new(OURS.into(), THEIRS.into()).ikey(Key(0x22_2222)).okey(Key(0x11_1111));
    let ours = ours.csum(true).seq(true).ttl(255).mtu(1_500).build().unwrap();
    talk(&mut uml, 10, ours.mtu(), of_tunnel(false, ours));

    uml.sh(&format!("ip link add t11 type gre {ENDS}; ip link set t11 up"));
    let ours = Tunnel::new(OURS.into(), THEIRS.into()).linux().mtu(1_500).build().unwrap();
    talk(&mut uml, 11, ours.mtu(), of_tunnel(false, ours));

    uml.sh(&format!("ip link add t12 type gretap key 12 csum seq {ENDS}; ip link set t12 up"));
    let ours = Tunnel::new(OURS.into(), THEIRS.into()).payload(Payload::Ethernet).key(Key(12));
    let ours = ours.csum(true).seq(true).linux().mtu(1_500).build().unwrap();
    talk(&mut uml, 12, ours.mtu(), of_tunnel(true, ours));

    // Without the option that limits how often a packet is encapsulated, and with it, which takes eight bytes.
    for (net, limit, ours) in [(13, "none", None), (14, "4", Some(4))] {
        let ends = "remote fd99::1 local fd99::2 key 13 csum seq";
        uml.sh(&format!("ip link add t{net} type ip6gre {ends} encaplimit {limit}; ip link set t{net} up"));
        let tunnel = Tunnel::new(OURS6.into(), THEIRS6.into()).key(Key(13)).csum(true).seq(true).linux();
        let ours = tunnel.encap_limit(ours).mtu(1_500).build().unwrap();
        talk(&mut uml, net, ours.mtu(), of_tunnel(false, ours));
    }
}

#[test]
fn nvgre_vxlan_and_geneve() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let mut uml = boot(&["ip_gre", "vxlan", "geneve"]);
    // Linux takes no other FlowID than the one in its key.
    uml.sh(&format!("ip link add t20 type gretap key {} {ENDS}; ip link set t20 up", 0xab_cd00));
    let ours = nvgre::Endpoint::new(OURS.into()).mtu(1_500).build().unwrap();
    let remote = ours.remote(THEIRS.into(), Vni::truncate(0xabcd)).unwrap();
    let mtu = ours.inner_mtu(1_500).unwrap();
    talk(
        &mut uml,
        20,
        mtu,
        of_endpoint(true, ours, remote, EncapMeta::new().hash(0), |inner, _| {
            inner.encapsulation.vni() == Vni::new(0xabcd)
        }),
    );

    uml.sh(&format!("ip link add t21 type vxlan id 21 dstport 4789 dev vec0 {ENDS}; ip link set t21 up"));
    let ours = vxlan::Endpoint::new(OURS.into()).mtu(1_500).build().unwrap();
    let remote = ours.remote(THEIRS.into(), Vni::truncate(21)).unwrap();
    let mtu = ours.inner_mtu(1_500).unwrap();
    talk(
        &mut uml,
        21,
        mtu,
        of_endpoint(true, ours, remote, EncapMeta::new(), |inner, _| {
            inner.encapsulation.vni() == Vni::new(21)
        }),
    );

    uml.sh("ip link add t22 type vxlan id 22 dstport 4789 dev vec0 remote fd99::1 local fd99::2; ip link set t22 up");
    let ours = vxlan::Endpoint::new(OURS6.into()).mtu(1_500).build().unwrap();
    let remote = ours.remote(THEIRS6.into(), Vni::truncate(22)).unwrap();
    let mtu = ours.inner_mtu(1_500).unwrap();
    talk(
        &mut uml,
        22,
        mtu,
        of_endpoint(true, ours, remote, EncapMeta::new(), |inner, _| {
            inner.encapsulation.vni() == Vni::new(22)
        }),
    );

    for (net, id, remote) in [(23, 300, "10.99.0.1"), (24, 301, "fd99::1")] {
        uml.sh(&format!("ip link add t{net} type geneve id {id} remote {remote}; ip link set t{net} up"));
        let [ours, theirs]: [IpAddr; 2] =
            if net == 23 { [OURS.into(), THEIRS.into()] } else { [OURS6.into(), THEIRS6.into()] };
        let ours = geneve::Endpoint::new(ours).mtu(1_500).build().unwrap();
        // Linux reads over options that it need not know.
        let mut options = [0; 16];
        let mut writer = geneve_option::Writer::new(&mut options);
        writer.push(geneve_option::OptionClass(0x0102), geneve_option::OptionType(1), &[1, 2, 3, 4]).unwrap();
        let options = writer.as_bytes();
        let remote = ours.remote_with_options(theirs, Vni::truncate(id), options).unwrap();
        let mtu = ours.inner_mtu(1_500).unwrap();
        // Its MTU does not count options, ours must.
        uml.sh(&format!("ip link set t{net} mtu {}", mtu - options.len()));
        let taken = |inner: &Inner, _: &Packet<'_>| {
            inner.encapsulation.vni().is_some_and(|vni| vni.value() / 10 == 30)
        };
        talk(&mut uml, net, mtu - options.len(), of_endpoint(true, ours, remote, EncapMeta::new(), taken));
    }
}

/// The kernel takes GRE and IP in UDP; it answers without UDP, since it has no `encap` here.
#[test]
fn gre_in_udp_and_ip_in_udp_to_the_kernel() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    let mut uml = boot(&["ip_gre", "ipip", "fou"]);
    // Segments that its GRO has joined do not get through its FOU.
    uml.sh("ethtool -K vec0 gro off; ip fou add port 4754 ipproto 47; ip fou add port 5555 ipproto 4");
    uml.sh(&format!("ip link add t30 type gre key 30 {ENDS}; ip link set t30 up mtu 1400"));
    let udp = gre::UdpEndpoint::new(OURS.into()).key(Key(30)).mtu(1_500).build().unwrap();
    let back = gre::Endpoint::new(OURS.into()).key(Key(30)).build().unwrap();
    let remote = udp.remote(THEIRS.into()).unwrap();
    let both = line(
        false,
        (udp, back),
        move |(udp, _), inner| edit(inner, |packet| udp.encap(packet, &remote).ok()),
        |(_, back), bytes| edit(bytes, |packet| back.decap(packet).ok()),
    );
    talk(&mut uml, 30, 1_400, both);

    uml.sh(&format!("ip link add t31 type ipip {ENDS}; ip link set t31 up mtu 1400"));
    let udp = ip_udp::Endpoint::new(OURS.into()).mtu(1_500).build().unwrap();
    let remote = udp.remote_at(THEIRS.into(), 5_555).unwrap();
    let device = "t31";
    uml.sh(&format!("ip addr add 192.168.31.2/24 dev {device}"));
    let line = line(
        false,
        udp,
        move |udp, inner| edit(inner, |packet| udp.encap(packet, &remote).ok()),
        // IP in IP, which is not the library's.
        |_, bytes| (bytes.get(9) == Some(&4)).then(|| bytes[20..].to_vec()),
    );
    let host = Host::start(&["192.168.31.1/24"], 1_400, uml.wire(), line);
    host.gateway("192.168.31.2");
    ping(&host.namespace, "192.168.31.2", 3).all();
    ping(&host.namespace, "-M do -s 1372 192.168.31.2", 2).all();
    transfer(&mut uml, &host, "192.168.31.1");
}

/// GRE once more, by neither kernel: a user-mode Linux can have it for a cable, and then writes and reads it itself.
#[test]
fn gre_of_the_user_mode_kernel_itself() {
    require!(Need::Root, Need::Program(uml::PROGRAM), Need::Program("ping"), Need::Program("ethtool"));
    type Set = fn(gre::Config) -> gre::Config;
    let sets: [(&str, Set); 3] = [
        ("", |it| it),
        (",rx_key=16,tx_key=17", |it| it.ikey(Key(17)).okey(Key(16))),
        (",rx_key=16,tx_key=17,sequence=1", |it| it.ikey(Key(17)).okey(Key(16)).seq(true)),
    ];
    for (options, set) in sets {
        let (theirs, far) = (Namespace::new("uml"), Namespace::new("wire"));
        far.without_ipv6();
        veth((&theirs, "u0"), (&far, "w0"), Offload::None);
        theirs.ip("link set dev u0 address 02:00:00:00:00:02");
        theirs.ip("addr add 10.99.0.2/24 dev u0");
        theirs.ip("neigh replace 10.99.0.1 lladdr 02:00:00:00:00:01 dev u0 nud permanent");
        let mut uml = Uml::boot_in(&theirs, &format!("gre,src=10.99.0.2,dst=10.99.0.1{options}"), &[]);
        let ours = Tunnel::new(OURS.into(), THEIRS.into()).payload(Payload::Ethernet).mtu(1_500);
        let ours = set(ours).build().unwrap();
        // It knows nothing of the underlay's MTU.
        let mtu = ours.mtu();
        uml.sh(&format!("ip link set vec0 mtu {mtu}; ip addr add 192.168.50.2/24 dev vec0"));
        let line = of_tunnel(true, ours);
        let host = Host::start(&["192.168.50.1/24"], mtu, Tap::open(&far, "w0"), line);
        ping(&host.namespace, "192.168.50.2", 3).all();
        ping(&host.namespace, &format!("-M do -s {} 192.168.50.2", mtu - 28), 2).all();
        transfer(&mut uml, &host, "192.168.50.1");
    }
}

/// Mirrored frames, which the library reads and does not write.
#[test]
fn erspan_is_read() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut uml = boot(&["ip_gre"]);
    uml.sh(&format!(
        "ip link add t40 type erspan seq key 101 {ENDS} erspan_ver 1 erspan 123; ip link set t40 up"
    ));
    uml.sh(&format!("ip link add t41 type erspan seq key 102 {ENDS} erspan_ver 2 erspan_dir egress erspan_hwid 7; ip link set t41 up"));
    uml.sh("ip link set t40 address 02:00:00:00:0a:40; ip link set t41 address 02:00:00:00:0a:41");
    uml.sh("ip addr add 192.168.40.2/24 dev t40; ip addr add 192.168.41.2/24 dev t41");
    for (net, session) in [(40, 101), (41, 102)] {
        uml.start(&format!("ping -n -c 1 -W 1 192.168.{net}.1"));
        let profile = Profile::ANALYSIS;
        let (header, frame) = uml
            .until(Duration::from_secs(5), |frame| {
                let seen = inspect(frame, &profile);
                let layers: Vec<_> = seen.layers().cloned().collect();
                let last = layers.last()?;
                let Encapsulation::Erspan(header) = last.encapsulation else { return None };
                assert!(seen.anomalies().is_empty(), "{:?}", seen.anomalies());
                let frame = frame[last.payload.clone()].to_vec();
                // And not what IPv6 or the session before has to say.
                let wanted = header.session.value() == session && frame[12..14] == [8, 6];
                wanted.then_some((header, frame))
            })
            .expect("the kernel mirrors a frame");
        assert!(!header.truncated);
        match header.kind {
            erspan::Kind::II { index } => assert_eq!((net, index.value()), (40, 123)),
            erspan::Kind::III { hardware_id, egress, .. } => {
                assert_eq!((net, hardware_id.value(), egress), (41, 7, true))
            }
            other => panic!("{other:?}"),
        }
        // What is mirrored: the question who 192.168.N.1 is.
        let mac = [2, 0, 0, 0, 0x0a, 0x40 + net - 40];
        assert_eq!(frame, bytes::arp_request(mac, [192, 168, net, 2].into(), [192, 168, net, 1].into()));
        assert!(uml.finish(Duration::from_secs(10)).is_some());
    }
}
