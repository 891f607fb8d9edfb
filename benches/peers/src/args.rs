//! What the program is told.

use std::path::PathBuf;

pub const USAGE: &str = "\
Measures encap beside its rivals and prints the table of goals.

usage: cargo run --release --manifest-path benches/peers/Cargo.toml -- [options]

  --csv FILE       also as CSV
  --svg DIR        also as charts, light and dark
  --only ID,...    these ids only, of E1 to E5, D1 to D3, C1, C2, C5, H1, F1 to F7, F2c, N1, V1 to V3
  --quick          fewer rounds, no tables of 8M entries
  --target T       x86-64 or native only; both by default: the program builds and runs itself once more
  --huge-pages     tables in huge pages, everybody's
  --growth         instead of the goals: how costs grow with entries, remotes, VNIs, frame size and depth
  --memory         instead of the goals: bytes per entry of the tables";

#[derive(Clone, Debug, Default)]
pub struct Args {
    pub csv: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub only: Vec<String>,
    pub quick: bool,
    pub target: Option<String>,
    pub huge: bool,
    pub growth: bool,
    pub memory: bool,
}

impl Args {
    /// The options of this run, or what is wrong with them.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self::default();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--csv" => parsed.csv = Some(value()?.into()),
                "--svg" => parsed.svg = Some(value()?.into()),
                "--only" => parsed.only = value()?.split(',').map(|id| id.trim().to_owned()).collect(),
                "--quick" => parsed.quick = true,
                "--target" => {
                    let target = value()?;
                    if !["x86-64", "native"].contains(&target.as_str()) {
                        return Err(format!("no target {target}: x86-64 or native"));
                    }
                    parsed.target = Some(target);
                }
                "--huge-pages" => parsed.huge = true,
                "--growth" => parsed.growth = true,
                "--memory" => parsed.memory = true,
                _ => return Err(format!("no option {arg}")),
            }
        }
        Ok(parsed)
    }

    /// The same for a run of the other target, whose rows go to `csv`.
    pub fn for_child(&self, target: &str, csv: &std::path::Path) -> Vec<String> {
        let mut args = vec!["--target".into(), target.into(), "--csv".into(), csv.display().to_string()];
        if !self.only.is_empty() {
            args.extend(["--only".into(), self.only.join(",")]);
        }
        let flags = [("--quick", self.quick), ("--huge-pages", self.huge), ("--growth", self.growth)];
        args.extend(flags.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag.to_owned()));
        args
    }
}
