//! Inviting people, and accepting: the way in for everybody who is not an end user.
//!
//! The command line invites with roles at once: whoever has a shell on the host is the root of trust, and makes the first
//! people, or a new way in for somebody who lost theirs. Over the API one administrator invites, and the roles become a
//! proposal that another one must approve (`role_change.rs`): nobody makes an accomplice alone. What must stay true: an
//! invitation is good once, for its tenant and person only, and kept as a digest.

pub mod store;

use super::login::store::Login;
use super::login::{Email, Knock, record};
use super::password::{CHARACTERS_MIN_WITH_FACTOR, Password};
use super::session::{self, Opened, Standing};
use super::{AccessError, Roles, Subject, login, role_change};
use crate::app::App;
use crate::audit::{Action, By};
use crate::db;
use crate::ledger::Unit;
use airlock_shared::PersonId;
use serde_json::json;
use store::Invitation;

/// Whom to invite.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The person's id to be: a-z 0-9 . _ @ -
    pub name: String,
    /// Their e-mail, by which they log in.
    pub email: String,
    /// The tenant's partner row.
    pub partner: String,
    /// What they are to do.
    pub roles: Roles,
}

/// What roles an invitation gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// Those it names, at acceptance; also a new way in for somebody who is there already.
    Direct,
    /// None: those it names are proposed at acceptance.
    Proposed,
}

/// An invitation that was made: the token leaves once, here.
pub struct Made {
    /// The person's id.
    pub id: String,
    /// The token.
    pub invitation: String,
}

/// Makes an invitation.
pub async fn invite(app: &App, by: By, invited: Invited, grant: Grant) -> Result<Made, AccessError> {
    let expected = "1 to 64 of a-z 0-9 . _ @ -";
    let person = PersonId::new(&invited.name).ok_or_else(|| AccessError::Name {
        what: "person",
        found: invited.name.chars().take(64).collect(),
        expected,
    })?;
    let email = Email::parse(&invited.email)?;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let token = format!("ali_{}", hex::encode(bytes));
    let (id, digest, life) = (db::random_id()?, session::digest(&token), app.config.auth.invitation);
    let person = person.to_string();
    let row_person = person.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                if !super::store::partner_is_active(unit.db(), &invited.partner).await? {
                    return Err(AccessError::NotFound { what: "partner" });
                }
                let there = super::store::person(unit.db(), &row_person).await?;
                let same = there.as_ref().is_some_and(|there| there.partner == invited.partner);
                if there.is_some() && !(same && grant == Grant::Direct) {
                    return Err(AccessError::Exists { what: "person", name: row_person });
                }
                let row = Invitation {
                    id,
                    partner: invited.partner,
                    person: row_person,
                    email: email.shown,
                    roles: invited.roles,
                    direct: grant == Grant::Direct,
                    made_by: by.who.clone(),
                    expires_at: now + i64::try_from(life.as_millis()).unwrap_or(i64::MAX),
                };
                // Of two invitations for one person the later counts.
                store::expire_others(unit.db(), &row.partner, &row.person, now).await?;
                store::insert(unit.db(), &row, &digest, now).await?;
                let after = json!({ "roles": super::role_words(&row.roles), "partner": row.partner });
                record(unit, &by, Action::PersonInvite, &row.person, after).await
            })
        })
        .await?;
    Ok(Made { id: person, invitation: token })
}

/// Accepts: the person exists from now on, with this password. Answers a session that is limited until a second factor is
/// in force.
pub async fn accept(
    app: &App,
    knock: Knock,
    token: &str,
    password: String,
) -> Result<(Opened, Subject), AccessError> {
    login::count(app, &knock, None).await?;
    let digest = session::digest(token);
    // Looked at before anything is hashed; decided below, in the commit.
    let now = app.clock.now();
    let found = store::good(&mut *app.db.reader().await?, &digest, now).await?;
    let invitation = found.ok_or(AccessError::Invitation)?;
    let password = Password::typed(password)?;
    password.may_be_chosen(CHARACTERS_MIN_WITH_FACTOR, &invitation.email)?;
    let hash = app.access.passwords.hash(password).await?;
    let shared = app.clone();
    app.writer
        .commit(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let invitation =
                    store::good(unit.db(), &digest, now).await?.ok_or(AccessError::Invitation)?;
                if !super::store::partner_is_active(unit.db(), &invitation.partner).await?
                    || !store::spend(unit.db(), &invitation.id, now).await?
                {
                    return Err(AccessError::Invitation);
                }
                let subject = Subject::Person(invitation.person.clone());
                enrol(unit, &subject, &invitation, hash).await?;
                if let Some(address) = super::lock_out::Tried::address(knock.address) {
                    super::lock_out::give_back(unit.db(), &address).await?;
                }
                let auth = &shared.config.auth;
                let opened = session::open_in(unit, auth, &subject, Standing::Limited, &knock.origin).await?;
                let after = json!({ "by": invitation.made_by, "direct": invitation.direct });
                record(unit, &knock.by(&subject), Action::InvitationAccept, &invitation.person, after)
                    .await?;
                Ok((opened, subject))
            })
        })
        .await
}

/// Makes the person and its login, or a new login of a person that is there.
async fn enrol(
    unit: &mut Unit,
    subject: &Subject,
    invitation: &Invitation,
    hash: String,
) -> Result<(), AccessError> {
    let (now, person) = (unit.now(), &invitation.person);
    let there = super::store::person(unit.db(), person).await?;
    match &there {
        None => super::store::insert_person(unit.db(), person, &invitation.partner, now).await?,
        Some(there) if invitation.direct && there.partner == invitation.partner => {
            session::end_all(unit, subject, None, "invited anew").await?;
            login::store::remove(unit.db(), subject).await?;
            login::store::remove_recovery_codes(unit.db(), subject).await?;
            super::passkey::store::remove_all(unit.db(), subject).await?;
            super::store::set_person_active(unit.db(), person, true).await?;
        }
        Some(_) => return Err(AccessError::Invitation),
    }
    if invitation.direct {
        super::store::set_roles(unit.db(), person, &invitation.roles).await?;
    } else if !invitation.roles.is_empty() {
        role_change::insert_proposal(unit, person, &Roles::new(), &invitation.roles, &invitation.made_by)
            .await?;
    }
    let email = Email::parse(&invitation.email)?;
    if login::store::by_email(unit.db(), &email.folded).await?.is_some() {
        return Err(AccessError::Invitation);
    }
    let login = Login::new(subject.clone(), &email, hash, true, now);
    Ok(login::store::insert(unit.db(), &login).await?)
}
