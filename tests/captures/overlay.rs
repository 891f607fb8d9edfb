//! The overlay example as a program: what it tells, and that it tells the same again.

use crate::programs::run;

/// What it prints, but for what the machine's clock has to say.
fn story(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run("overlay", arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains(" packets per second encapsulated and decapsulated, "), "{stdout}");
    stdout.lines().filter(|line| !line.contains(" per second")).map(|line| format!("{line}\n")).collect()
}

#[track_caller]
fn in_order(story: &str, lines: &[&str]) {
    let mut printed = story.lines();
    for line in lines {
        assert!(
            printed.any(|printed| printed == *line),
            "{line:?} is not there, or not in its place, in\n{story}"
        );
    }
}

#[test]
fn hosts_find_each_other() {
    let story = story(&["--loss", "0", "--packets", "1000"]);
    in_order(
        &story,
        &[
            "  0.000 s  host 10.1.0.1     who has 10.1.0.6? (ARP request, to everybody)",
            "  0.000 s  vtep 192.0.2.1    does not know 10.1.0.6; for everybody: flooded to 192.0.2.2, 192.0.2.3",
            "  0.005 s  vtep 192.0.2.2    from 192.0.2.1, vni 42; learned 02:00:00:01:00:01 behind 192.0.2.1; to 10.1.0.3, 10.1.0.4",
            "  0.005 s  host 10.1.0.6     10.1.0.6 is at 02:00:00:01:00:06 (ARP reply, to 10.1.0.1)",
            "  0.005 s  vtep 192.0.2.3    knows 02:00:00:01:00:01: encapsulated for 192.0.2.1, 36 + 42 bytes",
            "  0.010 s  host 10.1.0.1     ping 10.1.0.6, number 1",
            "  0.020 s  host 10.1.0.1     has its answer to ping 1 after 10 ms",
            "10.1.0.1 > 10.1.0.6: 2 sent, 2 received, round trip 10.0 to 10.0 ms",
            "    0  45 00 00 86        version 4, five words of header; 134 bytes in all",
            "   22  12 b5              destination port 4789: VXLAN",
            "   32  00 00 2a 00        segment (VNI) 42, and a reserved byte",
            "   36  02 00 00 01 00 06  to 02:00:00:01:00:06",
            "   66  0a 01 00 06        to 10.1.0.6",
            "   78  61 62 63 64 65 66  and 50 more bytes of payload",
            "  2.010 s  vtep 192.0.2.1    knows that 10.1.0.6 is at 02:00:00:01:00:06: answers itself (ARP proxy)",
            "  3.015 s  vtep 192.0.2.3    dropped a packet: unknown-vni",
            "6 pings: 18 sent, 18 received",
            "frames of another segment that a host heard: 0",
            "vtep 192.0.2.1, as bridge fdb show has it:",
            "  00:00:00:00:00:00 dst 192.0.2.2 self permanent              # whatever is unknown, or for everybody",
            "  02:00:00:01:00:01 dst 0.0.0.0 self permanent                # on this side",
            "  02:00:00:01:00:06 dst 192.0.2.3 self                        # learned",
            "  10.1.0.6 lladdr 02:00:00:01:00:06 REACHABLE",
            "1,000 frames, 0 of them lost or damaged",
        ],
    );
}

#[test]
fn the_same_seed_tells_the_same() {
    let lossy = |seed| story(&["--loss", "20", "--vteps", "4", "--packets", "130", "--seed", seed]);
    let once = lossy("7");
    assert!(once.contains("  underlay          loses a packet from "), "{once}");
    assert!(once.contains("130 frames, 0 of them lost or damaged"), "{once}");
    assert_eq!(once, lossy("7"));
    assert_ne!(once, lossy("8"));
}

#[test]
fn one_segment_does_not_hear_the_other() {
    let story = story(&[
        "--vni",
        "42",
        "--vni",
        "43",
        "--vteps",
        "2",
        "--hosts",
        "1",
        "--loss",
        "0",
        "--packets",
        "2",
    ]);
    in_order(
        &story,
        &[
            "Segment 43: hosts 10.2.0.1 (02:00:00:02:00:01) to 10.2.0.2 (02:00:00:02:00:02).",
            "  2.015 s  host 10.2.0.1     who has 10.1.0.1? (ARP request, to everybody)",
            "  5.015 s  host 10.2.0.1     gives up: nobody says that he has 10.1.0.1",
            "10.2.0.1 > 10.1.0.1: nobody said that he had the address",
            "10.2.0.2 > 10.2.0.1: 3 sent, 3 received, round trip 10.0 to 10.0 ms",
            "frames of another segment that a host heard: 0",
            "  02:00:00:01:00:02 dst 192.0.2.2 src_vni 42 self             # learned",
            "  02:00:00:02:00:02 dst 192.0.2.2 src_vni 43 self             # learned",
        ],
    );
}

/// Nothing gets through; the bulk traffic does not go through the underlay.
#[test]
fn all_is_lost() {
    let story = story(&["--loss", "100", "--quiet", "--packets", "1"]);
    assert!(!story.contains(" s  host "), "{story}");
    in_order(
        &story,
        &[
            "10.1.0.1 > 10.1.0.6: nobody said that he had the address",
            "6 pings: 0 sent, 0 received",
            "underlay: 0 packets carried, 48 lost",
            "1 frames, 0 of them lost or damaged",
        ],
    );
}

#[test]
fn what_cannot_be_is_refused() {
    for (code, flags, message) in [
        (1, "--vni 42 --vni 42", "overlay: a segment is named twice"),
        (2, "--vni 16777216", "at most 16777215"),
        (2, "--vteps 1", "error: invalid value '1'"),
        (2, "--loss 101", "between 0 and 100"),
    ] {
        let (status, _, stderr) = run("overlay", &flags.split(' ').collect::<Vec<_>>());
        assert_eq!(status, Some(code), "{flags}: {stderr}");
        assert!(stderr.contains(message), "{flags}: {stderr}");
    }
}
