//! An undefined symbol that can be reached is an error; one that cannot be reached is no symbol.

fn main() {
    println!("cargo::rustc-link-arg=-fuse-ld=bfd");
    println!("cargo::rustc-link-arg=-Wl,--no-undefined,--gc-sections");
    println!("cargo::rustc-link-arg=-lc");
}
