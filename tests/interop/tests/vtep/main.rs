//! The program `vtep` of `examples/linux` with the vxlan device of the running kernel at the other end, and with
//! itself.
//!
//! Namespace `a` has the kernel's device, 10.99.0.1 and fd99::1; namespace `b` the program, 10.99.0.2 and fd99::2.

mod flannel;
mod group;
mod lab;
mod link;
mod manual;
mod reach;
mod settings;
mod signals;
mod transfer;
mod trunk;
