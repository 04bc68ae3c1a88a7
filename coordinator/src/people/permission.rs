//! Who may do what: one closed list of permissions and one table of role and permission.
//!
//! Handlers ask [`Caller::may`] once, at their beginning, and filter by the [`Reach`] it answers. What must stay true: a
//! permission that is not in the table is refused; what belongs to somebody else looks like what does not exist
//! (the handler's filter), what the role may not do at all is refused by name (here).

use super::{Caller, Tenant};
use crate::api::ApiError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What a person of a partner or of the house does here. A person may have several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Drives deposits, withdrawals, batches.
    Operator,
    /// Approves withdrawals and adjustments.
    Approver,
    /// Sees everything of its tenant, changes nothing.
    Auditor,
    /// People, keys, partners, fees.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Approver, Self::Auditor, Self::Administrator];

    /// As tables, routes and settings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What a partner's API key was made for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Balances, transactions, deposits, withdrawals: looking only.
    Read,
    /// Transfers, payments and rewards inside the ledger.
    Transfer,
    /// Requesting and cancelling withdrawals.
    Withdraw,
    /// Opening deposit addresses.
    Deposit,
    /// End users.
    ManageUsers,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Read, Self::Transfer, Self::Withdraw, Self::Deposit, Self::ManageUsers];

    /// As tables and routes spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Transfer => "transfer",
            Self::Withdraw => "withdraw",
            Self::Deposit => "deposit",
            Self::ManageUsers => "manage_users",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// One kind of thing that somebody may do. Every route asks for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Permission {
    /// Balances, transactions, deposits, withdrawals, deposit addresses.
    SeeMoney,
    /// Transfers inside the ledger.
    Transfer,
    /// Requesting and cancelling withdrawals.
    RequestWithdrawal,
    /// Approving withdrawals.
    ApproveWithdrawal,
    /// Opening a deposit address.
    OpenAddress,
    /// End users.
    SeeUsers,
    /// Making and closing end users.
    ManageUsers,
    /// Batches, treasury, broadcasting, assigning and closing deposits.
    RunBatches,
    /// Looking at batches, networks, reserves, the trial balance, queues.
    SeeOperations,
    /// Pairing signers, importing policies, wallets, attestations.
    ManageSigners,
    /// Proposing a manual adjustment.
    ProposeAdjustment,
    /// Approving somebody else's adjustment.
    ApproveAdjustment,
    /// Looking at people.
    SeePeople,
    /// Inviting, proposing and approving roles, deactivating.
    ManagePeople,
    /// API keys.
    ManageKeys,
    /// Partners, their wallets' switches, their fees.
    ManagePartners,
    /// Looking at partners.
    SeePartners,
    /// The audit log.
    SeeAudit,
    /// One's own account: password, second factor, sessions.
    OwnAccount,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 19] = [
        Self::SeeMoney,
        Self::Transfer,
        Self::RequestWithdrawal,
        Self::ApproveWithdrawal,
        Self::OpenAddress,
        Self::SeeUsers,
        Self::ManageUsers,
        Self::RunBatches,
        Self::SeeOperations,
        Self::ManageSigners,
        Self::ProposeAdjustment,
        Self::ApproveAdjustment,
        Self::SeePeople,
        Self::ManagePeople,
        Self::ManageKeys,
        Self::ManagePartners,
        Self::SeePartners,
        Self::SeeAudit,
        Self::OwnAccount,
    ];

    /// Does it ask for a second factor given within the last minutes?
    pub const fn needs_step_up(self) -> bool {
        matches!(
            self,
            Self::ApproveWithdrawal
                | Self::ManageSigners
                | Self::ProposeAdjustment
                | Self::ApproveAdjustment
                | Self::ManagePeople
                | Self::ManageKeys
                | Self::ManagePartners
        )
    }

    /// May a person of this role?
    pub const fn of_role(self, role: Role) -> bool {
        match self {
            Self::OwnAccount => true,
            Self::SeeMoney | Self::SeeUsers | Self::SeeOperations | Self::SeePeople | Self::SeePartners => {
                true
            }
            Self::SeeAudit => matches!(role, Role::Auditor | Role::Administrator),
            Self::RequestWithdrawal | Self::OpenAddress | Self::RunBatches | Self::ProposeAdjustment => {
                matches!(role, Role::Operator)
            }
            Self::ApproveWithdrawal | Self::ApproveAdjustment => matches!(role, Role::Approver),
            Self::ManageUsers => matches!(role, Role::Operator | Role::Administrator),
            Self::ManageSigners | Self::ManagePeople | Self::ManageKeys | Self::ManagePartners => {
                matches!(role, Role::Administrator)
            }
            Self::Transfer => false,
        }
    }

    /// May an end user, for itself?
    pub const fn of_user(self) -> bool {
        matches!(
            self,
            Self::SeeMoney | Self::Transfer | Self::RequestWithdrawal | Self::OpenAddress | Self::OwnAccount
        )
    }

    /// Which scope does a partner's key need for it? `None`: no key may.
    pub const fn of_key(self) -> Option<Scope> {
        match self {
            Self::SeeMoney | Self::SeeUsers => Some(Scope::Read),
            Self::Transfer => Some(Scope::Transfer),
            Self::RequestWithdrawal => Some(Scope::Withdraw),
            Self::OpenAddress => Some(Scope::Deposit),
            Self::ManageUsers => Some(Scope::ManageUsers),
            _ => None,
        }
    }
}

/// Whose objects a permission reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Everybody's: the house.
    All,
    /// One partner's.
    Partner(String),
    /// One user's.
    User {
        /// The user.
        id: String,
        /// Its partner.
        partner: String,
    },
}

impl Reach {
    /// Is this user's money within reach?
    pub fn covers(&self, user: &str, partner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Partner(own) => own == partner,
            Self::User { id, .. } => id == user,
        }
    }

    /// Are this partner's own things (keys, people, wallets, batches) within reach?
    pub fn covers_partner(&self, partner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Partner(own) => own == partner,
            Self::User { .. } => false,
        }
    }
}

impl Caller {
    /// How far the caller may do this; 403 if not at all, or not without a fresh second factor.
    pub fn may(&self, permission: Permission) -> Result<Reach, ApiError> {
        let (granted, stepped_up, reach) = match self {
            Self::Key { partner, scopes, .. } => {
                let granted = permission.of_key().is_some_and(|scope| scopes.contains(&scope));
                (granted, true, Reach::Partner(partner.clone()))
            }
            Self::User { id, partner, stepped_up } => {
                let reach = Reach::User { id: id.clone(), partner: partner.clone() };
                (permission.of_user(), *stepped_up, reach)
            }
            Self::Person { roles, tenant, stepped_up, .. } => {
                let reach = match tenant {
                    Tenant::House => Reach::All,
                    Tenant::Partner(id) => Reach::Partner(id.clone()),
                };
                (roles.iter().any(|role| permission.of_role(*role)), *stepped_up, reach)
            }
        };
        if !granted {
            return Err(ApiError::forbidden(""));
        }
        if permission.needs_step_up() && !stepped_up {
            return Err(ApiError::step_up_needed());
        }
        Ok(reach)
    }

    /// The id of a person of the house who may do this; 403 for everybody else.
    pub fn house(&self, permission: Permission) -> Result<&str, ApiError> {
        match (self, self.may(permission)?) {
            (Self::Person { id, .. }, Reach::All) => Ok(id),
            _ => Err(ApiError::forbidden("only the house may do this")),
        }
    }
}

/// All roles of a person.
pub type Roles = BTreeSet<Role>;

/// All scopes of a key.
pub type Scopes = BTreeSet<Scope>;
