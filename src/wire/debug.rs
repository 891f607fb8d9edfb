//! How headers print: by the names of their modules, which tell one `Header` from another.

/// `Debug` under this name: of a struct's fields, all of them, or of what methods say of one that is packed.
macro_rules! debug_as {
    ($name:literal, $type:ident { $($field:ident),* $(,)? }) => {
        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let Self { $($field),* } = self;
                f.debug_struct($name)$(.field(stringify!($field), $field))*.finish()
            }
        }
    };
    ($name:literal, $type:ident: $($method:ident),*) => {
        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct($name)$(.field(stringify!($method), &self.$method()))*.finish()
            }
        }
    };
}
pub(super) use debug_as;

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::super::{
        EtherType, Vni, arp, erspan, ethernet, geneve, gre, gre1, icmpv4, icmpv6, ipv4, ipv6, nvgre, udp,
        vlan, vxlan, vxlan_gpe, wccp,
    };

    #[test]
    fn headers_print_by_the_names_of_their_modules() {
        let vni = Vni::truncate(42);
        assert_eq!(
            format!("{:?}", vxlan::Header::new(vni)),
            "vxlan::Header { vni: Some(Vni(42)), reserved: 0 }"
        );
        let geneve = geneve::Header::new(EtherType::IPV4, vni);
        assert!(format!("{geneve:?}").contains("vni: Vni(42), options_len"), "{geneve:?}");
        macro_rules! named {
            ($($module:ident: $bytes:expr),*) => { $(
                let (header, _) = $module::Header::parse(&$bytes).unwrap();
                assert!(format!("{header:?}").contains(concat!(stringify!($module), "::Header {")), "{header:?}");
            )* };
        }
        let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &[0; 20]].concat();
        named! {
            arp: arp, erspan: [0x10; 8], ethernet: [0; 14], geneve: [0; 8], gre: [0; 4],
            gre1: [0x20, 1, 0x88, 0x0b, 0, 0, 0, 1], icmpv4: [0; 8], icmpv6: [0; 8],
            ipv4: [&[0x45, 0, 0, 20][..], &[0; 16]].concat(), ipv6: [&[0x60][..], &[0; 39]].concat(),
            nvgre: [0x20, 0, 0x65, 0x58, 0, 0, 0, 0], udp: [0, 0, 0, 0, 0, 8, 0, 0], vlan: [0; 4], vxlan: [0; 8],
            vxlan_gpe: [0; 8], wccp: [0; 4]
        }
    }
}
