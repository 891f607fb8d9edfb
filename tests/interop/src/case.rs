//! Packets that somebody else and the library judge, and where the two are known to differ.

/// A packet, and if the library is known to judge it otherwise, what its documentation says.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// Its bytes.
    pub packet: Vec<u8>,
    /// What the documentation says of the difference, where there is one.
    pub documented: Option<&'static str>,
}

/// A packet that both judge the same way.
pub fn case(name: impl Into<String>, packet: Vec<u8>) -> Case {
    Case { name: name.into(), packet, documented: None }
}

impl Case {
    /// Judged otherwise, as the documentation says.
    pub fn but(self, documented: &'static str) -> Self {
        Self { documented: Some(documented), ..self }
    }
}

/// Has both judge each packet: `judge` answers whether they agree, and what they said. They must agree, but where it is
/// documented that they do not.
#[track_caller]
pub fn compare(cases: &[Case], mut judge: impl FnMut(&[u8]) -> (bool, String)) {
    let mut wrong = Vec::new();
    for Case { name, packet, documented } in cases {
        let (same, said) = judge(packet);
        if same == documented.is_some() {
            let packet = packet.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            wrong.push(format!("{name}: {documented:?}\n  {packet}\n  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let but = cases.iter().filter(|case| case.documented.is_some()).count();
    println!("{} packets: the same verdicts, but for {but} as documented", cases.len());
}
