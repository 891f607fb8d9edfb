//! Learning, and who gives way for it.

use encap::{
    table::{Destination, LearnFrom, Learned, Refusal, RemoteId, State},
    wire::{MacAddr, Vni},
};

use super::{
    Run,
    reference::{Account, Known, Learning, Segment, place},
};

impl Run {
    pub(super) fn learn(&mut self, vni: Vni, mac: MacAddr, from: RemoteId) {
        let answer = self.tables.fdb().learn(self.model.now, vni, mac, from);
        let refused = |why| assert_eq!(answer, Learned::Refused(why));
        let model = &self.model;
        if !mac.is_unicast() {
            return refused(Refusal::InvalidSource);
        }
        let Some(&segment) = model.vnis.get(&vni) else { return refused(Refusal::UnknownVni) };
        let Some(far) = model.far(from) else { return refused(Refusal::StaleRemote) };
        if !far.configured && model.limits.learn_from == LearnFrom::Configured {
            return refused(Refusal::UnconfiguredRemote);
        }
        let key = (segment.number, mac);
        let Some(known) = model.live(vni, mac) else { return self.discover(key, segment, from, answer) };
        match known.to {
            Destination::Remote(there) if place(&model.far(there).unwrap().remote) == place(&far.remote) => {
                assert_eq!(answer, Learned::Refreshed);
                let confirmed = model.now;
                self.model.entries.insert(key, Known { confirmed, ..known });
                return;
            }
            Destination::List(_) | Destination::Group(_) => return refused(Refusal::Static),
            _ => {}
        }
        match known.state {
            State::Permanent | State::Static => return refused(Refusal::Static),
            _ if known.sticky => return refused(Refusal::Sticky),
            _ => {}
        }
        let learned = known.learned.map(|_| self.learning(segment, from));
        // Within an account nobody moves away from it, and it may be full.
        let moves =
            |learning: &Learning| known.learned.map(|before| before.account) != Some(learning.account);
        if let Some(learning) = learned.filter(moves) {
            let (count, limit) = (model.count_account(learning.account), model.limits.quota);
            if answer == Learned::Refused(Refusal::QuotaLimit) {
                return assert!(count.may_be_full(limit));
            }
            assert!(!count.must_be_full(limit));
        }
        assert_eq!(answer, Learned::Moved { from: known.to });
        let confirmed = model.now;
        self.model.entries.insert(key, Known { to: from.into(), confirmed, learned, ..known });
    }

    fn learning(&self, segment: Segment, from: RemoteId) -> Learning {
        Learning {
            vni_flushes: segment.flushes,
            remote_flushes: self.model.far(from).unwrap().flushes,
            account: self.model.account(segment, from).unwrap(),
        }
    }

    fn discover(&mut self, key: (u32, MacAddr), segment: Segment, from: RemoteId, answer: Learned) {
        let model = &self.model;
        let (learning, limits) = (self.learning(segment, from), model.limits);
        // Of the dead, those in the place of the newcomer do not count.
        let mine = |other: &(u32, MacAddr)| *other == key;
        let in_vni = model.count(|key, known| {
            key.0 == segment.number
                && known.learned.is_none_or(|learning| learning.vni_flushes == segment.flushes)
                && !mine(key)
        });
        let all = model.count(|key, _| !mine(key));
        let learned = model.count(|key, known| known.learned.is_some() && !mine(key));
        let account = match learning.account {
            Account::Own(id) => model.count_learned_from(id),
            account => model.count_account(account),
        };
        let vni_limit = model.limit_of(segment);
        match answer {
            Learned::Refused(Refusal::VniLimit) => return assert!(in_vni.may_be_full(vni_limit)),
            Learned::Refused(Refusal::QuotaLimit) => return assert!(account.may_be_full(limits.quota)),
            Learned::Refused(Refusal::TableFull) => {
                return assert!(all.may_be_full(limits.entries) || learned.may_be_full(limits.learned));
            }
            Learned::Refused(Refusal::SweepPending) => return assert!(model.is_overdue()),
            Learned::New { evicted } => {
                assert!(!in_vni.must_be_full(vni_limit) && !account.must_be_full(limits.quota));
                match evicted {
                    None => {
                        assert!(!all.must_be_full(limits.entries) && !learned.must_be_full(limits.learned))
                    }
                    Some(evicted) => {
                        assert!(all.may_be_full(limits.entries) || learned.may_be_full(limits.learned));
                        let victim = model.live(evicted.vni, evicted.mac).unwrap();
                        assert_eq!(victim.to, Destination::Remote(evicted.remote));
                        // Only what was learned gives way.
                        let learning_of_victim = victim.learned.unwrap();
                        if model.count_all().live == model.count_all().all {
                            let share = model.fair_share(learning.account);
                            let has = model.count_account(learning_of_victim.account).all;
                            assert!(has > share, "{has} is no more than a fair share of {share}");
                        }
                        let victim = model.key(evicted.vni, evicted.mac).unwrap();
                        self.model.remove(victim);
                    }
                }
            }
            answer => panic!("{answer:?}"),
        }
        assert!(!self.model.is_overdue(), "it would not be found");
        self.model.remove(key);
        let known = Known {
            vni: *self.model.vnis.iter().find(|(_, known)| known.number == key.0).unwrap().0,
            to: from.into(),
            state: State::Learned,
            router: false,
            sticky: false,
            origin: 0,
            cookie: 0,
            confirmed: self.model.now,
            learned: Some(learning),
        };
        self.model.entries.insert(key, known);
    }
}
