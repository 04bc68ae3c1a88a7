//! Everything that leaves a row in the audit log: one closed list, each with the word that tables and the API use.
//!
//! A capability that learns to do something adds its line here. What must stay true: a word, once released, keeps its
//! meaning, because rows are kept for ever and auditors filter by it.

macro_rules! actions {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)+) => {
        /// What was done, or tried.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Action {
            $($(#[$meta])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As tables and the API spell it: `withdrawal.approve`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

actions! {
    /// A transfer inside the ledger.
    TransferMake = "transfer.make",
    /// A quote for a withdrawal.
    WithdrawalQuote = "withdrawal.quote",
    /// A withdrawal was asked for.
    WithdrawalRequest = "withdrawal.request",
    /// A withdrawal was approved.
    WithdrawalApprove = "withdrawal.approve",
    /// A withdrawal was cancelled.
    WithdrawalCancel = "withdrawal.cancel",
    /// A deposit address was opened.
    AddressOpen = "address.open",
    /// A halted network goes on.
    ChainResume = "chain.resume",
    /// An extended public key was imported.
    XpubImport = "xpub.import",
    /// An attestation of deposit addresses was imported.
    AttestationImport = "attestation.import",
    /// A signer was paired.
    SignerPair = "signer.pair",
    /// A signed policy was imported.
    PolicyImport = "policy.import",
    /// A wallet was imported.
    WalletImport = "wallet.import",
    /// A batch was made.
    BatchMake = "batch.make",
    /// An approver's approval of a batch was taken in.
    BatchApprove = "batch.approve",
    /// Batches were sealed into a bundle that leaves for the signer.
    BundleSeal = "bundle.seal",
    /// A batch's signatures came back and were taken in.
    BatchSigned = "batch.signed",
    /// The signer refused a batch.
    BatchRefused = "batch.refused",
    /// A batch was given up.
    BatchAbandon = "batch.abandon",
    /// A reply was brought that was not taken.
    ReplyRefuse = "reply.refuse",
    /// A hardware wallet's answers were taken in.
    HardwareReply = "hardware.reply",
    /// An alert was closed by a person.
    AlertClose = "alert.close",
    /// What lies in a wallet was stated and booked.
    TreasuryOpening = "treasury.opening_capital",
    /// A manual adjustment was proposed.
    AdjustmentPropose = "adjustment.propose",
    /// A manual adjustment was approved and booked.
    AdjustmentApprove = "adjustment.approve",
    /// A manual adjustment was rejected.
    AdjustmentReject = "adjustment.reject",
    /// A fee schedule was changed.
    FeesChange = "fees.change",
    /// A proof of liabilities was made.
    LiabilitiesProve = "liabilities.prove",
    /// Somebody signed up.
    UserSignUp = "user.sign_up",
    /// An end user was made.
    UserCreate = "user.create",
    /// An end user was closed.
    UserDeactivate = "user.deactivate",
    /// An end user was opened again.
    UserActivate = "user.activate",
    /// A person was invited.
    PersonInvite = "person.invite",
    /// An invitation was accepted.
    InvitationAccept = "invitation.accept",
    /// A change of somebody's roles was proposed.
    RolesPropose = "roles.propose",
    /// A change of somebody's roles was approved.
    RolesApprove = "roles.approve",
    /// A change of somebody's roles was rejected.
    RolesReject = "roles.reject",
    /// A person was deactivated.
    PersonDeactivate = "person.deactivate",
    /// Somebody logged in.
    Login = "session.login",
    /// A log-in was refused.
    LoginRefused = "session.login_refused",
    /// A second factor was given for a session that waits for it.
    SecondFactor = "session.second_factor",
    /// A second factor was refused.
    SecondFactorRefused = "session.second_factor_refused",
    /// A session was renewed.
    SessionRefresh = "session.refresh",
    /// A refresh token was used twice: the whole session was ended.
    RefreshReused = "session.refresh_reused",
    /// Somebody logged out.
    Logout = "session.logout",
    /// Every session of somebody was ended.
    LogoutEverywhere = "session.logout_everywhere",
    /// One session was ended by its owner.
    SessionEnd = "session.end",
    /// A second factor was given again for a sensitive call.
    StepUp = "session.step_up",
    /// A password was changed.
    PasswordChange = "password.change",
    /// A second factor was begun.
    FactorBegin = "factor.begin",
    /// A second factor came into force.
    FactorConfirm = "factor.confirm",
    /// New recovery codes were made.
    RecoveryCodes = "recovery_codes.make",
    /// A recovery code was used up.
    RecoveryCodeUse = "recovery_codes.use",
    /// A passkey was registered.
    PasskeyAdd = "passkey.add",
    /// A passkey was removed.
    PasskeyRemove = "passkey.remove",
    /// An API key was made.
    KeyCreate = "key.create",
    /// An API key was rotated.
    KeyRotate = "key.rotate",
    /// An API key was ended.
    KeyEnd = "key.end",
    /// A partner was made.
    PartnerCreate = "partner.create",
    /// A partner's row was changed.
    PartnerChange = "partner.change",
    /// A partner's watch-only wallet was added.
    PartnerWalletAdd = "partner_wallet.add",
    /// A partner's watch-only wallet was changed.
    PartnerWalletChange = "partner_wallet.change",
    /// Something that the caller's role may not do was tried.
    Forbidden = "access.forbidden",
    /// A credential that is not valid was presented.
    CredentialRefused = "access.refused",
    /// Somebody of the staff looked at another's balances, deposits, withdrawals or transactions.
    MoneyRead = "money.read",
    /// A list of users, or a user, was looked at.
    UsersRead = "users.read",
    /// The list of people was looked at.
    PeopleRead = "people.read",
    /// API keys were looked at.
    KeysRead = "keys.read",
    /// Partners were looked at.
    PartnersRead = "partners.read",
    /// The audit log was looked at.
    AuditRead = "audit.read",
    /// The audit log was written into a file.
    AuditExport = "audit.export",
    /// The books were written into a file.
    LedgerExport = "ledger.export",
    /// Transactions were exported.
    TransactionsExport = "transactions.export",
}

impl Action {
    /// The action of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(words.len(), Action::ALL.len());
        assert!(words.iter().all(|word| word.split('.').count() == 2), "{words:?}");
        assert_eq!(Action::from_name("withdrawal.approve"), Some(Action::WithdrawalApprove));
    }
}
