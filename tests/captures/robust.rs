//! Nothing that stands in a file makes the examples panic.

use std::{fs, path::Path};

use encap::tunnel::Profile;

use crate::{
    built_in::BUILT_IN,
    decap,
    json::Json,
    look::Found,
    read::Capture,
    report::{Line, Table},
    temporary, tshark,
    write::{CaptureWriter, Link},
};

/// What `decap` has written.
struct Inner {
    writer: CaptureWriter,
    packets: usize,
}

impl Inner {
    fn new(path: &Path) -> Self {
        Self { writer: CaptureWriter::create(path, None, Link::Ethernet).unwrap(), packets: 0 }
    }

    /// Does with a file what `decap` does; returns how many packets could be read.
    fn decap(&mut self, file: &[u8]) -> u64 {
        let Ok(mut capture) = Capture::new(file) else { return 0 };
        let (mut table, mut packets) = (Table::default(), 0);
        while let Ok(Some(frame)) = capture.next() {
            packets += 1;
            let found = Found::new(&frame, Profile::ANALYSIS);
            let inspection = found.as_ref().map(|found| &found.inspection);
            table.add(inspection);
            let json = serde_json::to_string(&Json::new(frame.number, found.as_ref())).unwrap();
            let line = Line { frame: packets, found: inspection }.to_string();
            assert!(!json.contains('\n') && !line.contains('\n'));
            if let Some(inner) = found.as_ref().and_then(Found::innermost) {
                assert!(inner.bytes.len() <= inner.wire_len && inner.wire_len <= frame.wire_len);
                let written = self.writer.write(frame.time, inner.protocol, inner.bytes, inner.wire_len);
                self.packets += usize::from(written.unwrap());
            }
        }
        assert!(table.to_string().contains(&format!("{packets} packets")));
        packets
    }
}

/// xorshift64: reproducible, and good enough to break files.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn mutated(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(file.len());
        match random.below(5) {
            0 => file[at] = random.below(256) as u8,
            1 => file[at] ^= 1 << random.below(8),
            2 => file[at] = [0, 0xff][random.below(2)],
            3 => {
                let end = (at + random.below(40)).min(file.len());
                file.drain(at..end);
            }
            _ => {
                let bytes = vec![random.below(256) as u8; random.below(40)];
                file.splice(at..at, bytes);
            }
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

#[test]
fn broken_files_do_no_harm() {
    let mut files: Vec<_> = decap::captures().into_iter().map(|path| fs::read(path).unwrap()).collect();
    files.retain(|file| file.len() < 1 << 14);
    files.extend(vec![BUILT_IN.to_vec(); 20]);
    let path = temporary("broken-inner.pcapng");
    let mut inner = Inner::new(&path);
    let mut random = Random(0x5eed);
    let (mut packets, mut broken) = (0, 0);
    for file in &files {
        for _ in 0..50 {
            packets += inner.decap(&mutated(file, &mut random));
            broken += 1;
        }
    }
    println!("{packets} packets in {broken} broken files");
    let Inner { writer, packets } = inner;
    writer.finish().unwrap();
    if tshark::is_installed() {
        assert_eq!(tshark::fields(&path, "frame", &["frame.number"]).len(), packets);
    }
}

#[test]
fn a_file_that_ends_anywhere_is_read_so_far() {
    let mut inner = Inner::new(&temporary("short-inner.pcap"));
    let all = inner.decap(BUILT_IN);
    let mut last = 0;
    for len in 0..=BUILT_IN.len() {
        let packets = inner.decap(&BUILT_IN[..len]);
        assert!(last <= packets && packets <= last + 1);
        last = packets;
    }
    assert_eq!(last, all);
}
