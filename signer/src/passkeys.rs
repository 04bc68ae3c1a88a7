//! What this signer remembers of passkeys: the highest counter that each has shown.
//!
//! Read when a batch is reviewed, written when one is signed. What must stay true: a counter that did not rise is a
//! warning for the person who reviews, never a refusal, for two approvals may cross the gap in either order; what is
//! remembered never falls; authenticators that count nothing (always 0) take no room.

use crate::vault::{Device, MAX_PASSKEYS, PasskeyCounter};
use airlock_shared::Digest;
use airlock_shared::approval::Approval;
use airlock_shared::approval::passkey::credential_digest;
use airlock_shared::approval::proven::{FallenCounter, counted, fallen_counters};
use airlock_shared::batch::Content;
use airlock_shared::policy::Policy;

/// The approvals that count and whose passkey's counter did not rise since this signer last saw it.
pub fn fallen(
    device: &Device,
    policy: &Policy,
    content: &Content,
    digest: &Digest,
    approvals: &[Approval],
) -> Vec<FallenCounter> {
    let counted = counted(policy, content, digest, approvals);
    fallen_counters(&counted, |credential| {
        let known = device.passkey_counters.iter().find(|known| known.credential == *credential);
        known.map(|known| known.counter)
    })
}

/// Takes in the counters of a batch that is being signed. Passkeys that the policy lists no longer are forgotten; beyond the
/// most that the vault has room for, further ones are not remembered.
pub fn remember(
    device: &mut Device,
    policy: &Policy,
    content: &Content,
    digest: &Digest,
    approvals: &[Approval],
) {
    let known = &mut device.passkey_counters;
    let listed = policy.approvers.iter().flat_map(|approver| &approver.passkeys);
    let listed: Vec<_> = listed.map(|passkey| credential_digest(&passkey.credential)).collect();
    known.retain(|known| listed.contains(&known.credential));
    let counted = counted(policy, content, digest, approvals);
    for (credential, counter) in counted.iter().filter_map(|one| one.counter()) {
        let room = known.len() < MAX_PASSKEYS;
        match known.iter_mut().find(|known| known.credential == credential) {
            Some(known) => known.counter = known.counter.max(counter),
            None if counter > 0 && room => known.push(PasskeyCounter { credential, counter }),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlock_shared::approval::{Approval, Proof};
    use airlock_shared::document;
    use airlock_shared::envelope::Bundle;
    use airlock_shared::policy::{Approver, Passkey, PasskeyTerms, SignedPolicy, UserVerification};
    use airlock_shared::{PersonId, Profile};
    use serde_json::Value;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures");

    /// What headless Chromium asserted over the contents of `fixtures/batch/valid`: carol's authenticator counts, erin's
    /// does not.
    struct Recorded {
        values: Value,
        policy: Policy,
        device: Device,
    }

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    fn person(value: &Value) -> PersonId {
        PersonId::new(value.as_str().unwrap()).unwrap()
    }

    impl Recorded {
        fn read() -> Self {
            let file = |name: &str| std::fs::read(format!("{FIXTURES}/{name}")).unwrap();
            let values: Value = serde_json::from_slice(&file("webauthn.json")).unwrap();
            let signed: SignedPolicy = document::read(&file(POLICY)).unwrap();
            let approver = |one: &Value| Approver {
                person: person(&one["person"]),
                device: None,
                passkeys: vec![Passkey {
                    credential: bytes(&one["credential"]),
                    public_key: bytes(&one["public_key"]).try_into().unwrap(),
                }],
            };
            let policy = Policy {
                approvers: values["people"].as_array().unwrap().iter().map(approver).collect(),
                passkeys: Some(PasskeyTerms {
                    rp_id: values["rp_id"].as_str().unwrap().to_owned(),
                    origins: vec![values["origin"].as_str().unwrap().to_owned()],
                    user_verification: UserVerification::Required,
                }),
                ..signed.policy
            };
            let device = Device::generate(PersonId::new("alice").unwrap(), Profile::Dev, 1).unwrap();
            Self { values, policy, device }
        }

        fn approval(&self, place: usize, assertion: &Value) -> Approval {
            let one = &self.values["people"][place];
            let proof = Proof::Passkey {
                credential: bytes(&one["credential"]),
                authenticator_data: bytes(&assertion["authenticator_data"]),
                client_data: bytes(&assertion["client_data"]),
                signature: bytes(&assertion["signature"]),
            };
            Approval { person: person(&one["person"]), seen: None, proof }
        }

        /// The content with this name and what both asserted over it.
        fn batch(&self, name: &str) -> (Content, Vec<Approval>) {
            let (file, number) = name.split_once('/').unwrap();
            let bundle = std::fs::read(format!("{FIXTURES}/batch/valid/{file}.json")).unwrap();
            let bundle: Bundle = document::read(&bundle).unwrap();
            let content = bundle.envelopes[number.parse::<usize>().unwrap()].content.clone();
            let approval = |place: usize| {
                let mut all = self.values["people"][place]["assertions"].as_array().unwrap().iter();
                self.approval(place, all.find(|one| one["content"] == *name).unwrap())
            };
            (content, vec![approval(0), approval(1)])
        }

        fn remember(&mut self, (content, approvals): &(Content, Vec<Approval>)) {
            remember(&mut self.device, &self.policy, content, &content.digest(), approvals);
        }

        fn fallen(&self, (content, approvals): &(Content, Vec<Approval>)) -> Vec<FallenCounter> {
            fallen(&self.device, &self.policy, content, &content.digest(), approvals)
        }

        fn counters(&self) -> Vec<u32> {
            self.device.passkey_counters.iter().map(|known| known.counter).collect()
        }
    }

    const POLICY: &str = "batch/valid/policy.json";
    /// Carol's authenticator counted 2 and 5 at these.
    const EARLY: &str = "bundle-evm-fee-levels-and-cancel/0";
    const LATE: &str = "bundle-worked-example/0";

    #[test]
    fn counters_of_a_real_authenticator_are_remembered_and_one_that_counts_nothing_takes_no_room() {
        let mut recorded = Recorded::read();
        for (name, highest) in [(EARLY, 2), (LATE, 5)] {
            let batch = recorded.batch(name);
            assert_eq!(recorded.fallen(&batch), []);
            recorded.remember(&batch);
            assert_eq!(recorded.counters(), [highest]);
        }
    }

    #[test]
    fn an_older_assertion_is_told_and_what_is_remembered_stays() {
        let mut recorded = Recorded::read();
        let (early, late) = (recorded.batch(EARLY), recorded.batch(LATE));
        recorded.remember(&late);
        let carol = PersonId::new("carol").unwrap();
        let told = FallenCounter { person: carol.clone(), counter: 2, remembered: 5 };
        assert_eq!(recorded.fallen(&early), [told]);
        recorded.remember(&early);
        assert_eq!(recorded.counters(), [5]);
        // As a copy of the authenticator would, it counts from the start again.
        let copied = recorded.approval(0, &recorded.values["counter_fallen"]);
        let told = FallenCounter { person: carol, counter: 1, remembered: 5 };
        assert_eq!(recorded.fallen(&(early.0, vec![copied])), [told]);
    }

    #[test]
    fn an_assertion_that_does_not_count_leaves_nothing() {
        let mut recorded = Recorded::read();
        let (content, approvals) = recorded.batch(LATE);
        let elsewhere = recorded.batch(EARLY).0;
        recorded.remember(&(elsewhere.clone(), approvals.clone()));
        assert_eq!(recorded.counters(), [0; 0], "over another batch");
        let creator = Content { creator: PersonId::new("carol").unwrap(), ..content.clone() };
        let digest = content.digest();
        remember(&mut recorded.device, &recorded.policy, &creator, &digest, &approvals);
        assert_eq!(recorded.counters(), [0; 0], "by the batch's creator");
        recorded.remember(&(content, approvals));
        assert_eq!(recorded.counters(), [5]);
    }

    #[test]
    fn passkeys_that_the_policy_no_longer_lists_make_room_and_a_full_memory_stays_full() {
        let mut recorded = Recorded::read();
        let stranger = |n: u32| PasskeyCounter {
            credential: Digest::of("airlock:test:1", &n.to_be_bytes()),
            counter: 1,
        };
        let late = recorded.batch(LATE);
        recorded.device.passkey_counters = (0..MAX_PASSKEYS as u32).map(stranger).collect();
        recorded.remember(&late);
        assert_eq!(recorded.counters(), [5]);
        let listed = Passkey { credential: vec![1; 16], ..recorded.policy.approvers[0].passkeys[0].clone() };
        let known = PasskeyCounter { credential: credential_digest(&listed.credential), counter: 3 };
        recorded.policy.approvers[1].passkeys.push(listed);
        recorded.device.passkey_counters = vec![known; MAX_PASSKEYS];
        recorded.remember(&late);
        assert_eq!(recorded.device.passkey_counters, vec![known; MAX_PASSKEYS]);
    }
}
