//! SQL of invitations.

use crate::clock::UnixMillis;
use crate::db::Db;
use crate::people::{Roles, role_words, roles_of_words};

/// An invitation as it is kept.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: String,
    /// The tenant's partner row.
    pub partner: String,
    /// The person's id to be.
    pub person: String,
    /// Their e-mail.
    pub email: String,
    /// What they are to do.
    pub roles: Roles,
    /// Do the roles come with acceptance, or are they proposed then?
    pub direct: bool,
    /// Who invited, as rows name them.
    pub made_by: String,
    /// Until when it is good.
    pub expires_at: UnixMillis,
}

/// Adds an invitation under the digest of its token.
pub async fn insert(
    db: &mut Db,
    invitation: &Invitation,
    digest: &str,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into invitations (id, digest, partner_id, person_id, email, roles, direct, made_by, made_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&invitation.id)
    .bind(digest)
    .bind(&invitation.partner)
    .bind(&invitation.person)
    .bind(&invitation.email)
    .bind(role_words(&invitation.roles))
    .bind(i64::from(invitation.direct))
    .bind(&invitation.made_by)
    .bind(now)
    .bind(invitation.expires_at)
    .execute(db)
    .await
    .map(|_| ())
}

type Columns = (String, String, String, String, String, i64, String, i64);

/// The invitation behind a token's digest, if it was not used and has not expired.
pub async fn good(db: &mut Db, digest: &str, now: UnixMillis) -> Result<Option<Invitation>, sqlx::Error> {
    let found: Option<Columns> = sqlx::query_as(
        "select id, partner_id, person_id, email, roles, direct, made_by, expires_at from invitations \
         where digest = $1 and used_at is null and expires_at > $2",
    )
    .bind(digest)
    .bind(now)
    .fetch_optional(db)
    .await?;
    Ok(found.map(|(id, partner, person, email, roles, direct, made_by, expires_at)| Invitation {
        id,
        partner,
        person,
        email,
        roles: roles_of_words(&roles).unwrap_or_default(),
        direct: direct == 1,
        made_by,
        expires_at,
    }))
}

/// Uses an invitation; false if it was used.
pub async fn spend(db: &mut Db, id: &str, now: UnixMillis) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("update invitations set used_at = $2 where id = $1 and used_at is null")
        .bind(id)
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the unused invitations of a person to one tenant; another tenant's for the same name stay.
pub async fn expire_others(
    db: &mut Db,
    partner: &str,
    person: &str,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update invitations set expires_at = $3 \
         where partner_id = $1 and person_id = $2 and used_at is null and expires_at > $3",
    )
    .bind(partner)
    .bind(person)
    .bind(now)
    .execute(db)
    .await
    .map(|_| ())
}
