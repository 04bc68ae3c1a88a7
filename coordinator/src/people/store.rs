//! SQL of tenants, users, people, roles and proposals to change them.
//!
//! Inserts say whether they inserted, so that a repeat is an answer and not a failed statement (PostgreSQL
//! gives up a transaction after one).

use super::{Role, Roles, Subject, role_words, roles_of_words};
use crate::clock::UnixMillis;
use crate::db::Db;

/// A person as they are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// A person id, as batches and policies spell it.
    pub id: String,
    /// The tenant's partner row.
    pub partner: String,
    /// Their e-mail, once they have accepted.
    pub email: Option<String>,
    /// May they log in?
    pub active: bool,
    /// What they do.
    pub roles: Roles,
    /// When they came.
    pub made_at: UnixMillis,
}

/// A proposal to change somebody's roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleChange {
    /// Its id.
    pub id: String,
    /// Whose roles.
    pub person: String,
    /// What they were when it was made.
    pub before: Roles,
    /// What they are to be.
    pub after: Roles,
    /// `proposed`, `approved` or `rejected`.
    pub state: String,
    /// Who proposes.
    pub proposed_by: String,
    /// When.
    pub proposed_at: UnixMillis,
    /// Until when it can be decided.
    pub expires_at: UnixMillis,
    /// Who decided.
    pub decided_by: Option<String>,
}

/// The partner of a user, if the user exists.
pub async fn partner_of(db: &mut Db, user: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select partner_id from users where id = $1").bind(user).fetch_optional(db).await
}

/// A partner's id by its id or name.
pub async fn partner_named(db: &mut Db, name: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select id from partners where id = $1 or name = $1")
        .bind(name)
        .fetch_optional(db)
        .await
}

/// Is there such a partner, and is it active?
pub async fn partner_is_active(db: &mut Db, id: &str) -> Result<bool, sqlx::Error> {
    let active: Option<i64> =
        sqlx::query_scalar("select active from partners where id = $1").bind(id).fetch_optional(db).await?;
    Ok(active == Some(1))
}

/// Are the user or person and their partner active?
pub async fn is_active(db: &mut Db, subject: &Subject) -> Result<bool, sqlx::Error> {
    let found: Option<i64> = match subject {
        Subject::User(id) => sqlx::query_scalar(
            "select u.active * t.active from users u join partners t on t.id = u.partner_id where u.id = $1",
        )
        .bind(id)
        .fetch_optional(db)
        .await?,
        Subject::Person(id) => sqlx::query_scalar(
            "select h.active * t.active from people h join partners t on t.id = h.partner_id where h.id = $1",
        )
        .bind(id)
        .fetch_optional(db)
        .await?,
    };
    Ok(found == Some(1))
}

/// False if the name is taken.
pub async fn insert_partner(db: &mut Db, id: &str, name: &str, now: UnixMillis) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into partners (id, name, active, made_at) values ($1, $2, 1, $3) on conflict (name) do nothing",
    )
    .bind(id)
    .bind(name)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False if the partner has a user of that external id. Who signed up has none.
pub async fn insert_user(
    db: &mut Db,
    id: &str,
    partner: &str,
    external_id: Option<&str>,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into users (id, partner_id, external_id, active, made_at) values ($1, $2, $3, 1, $4) \
         on conflict (partner_id, external_id) do nothing",
    )
    .bind(id)
    .bind(partner)
    .bind(external_id)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a person; the id must be free.
pub async fn insert_person(db: &mut Db, id: &str, partner: &str, now: UnixMillis) -> Result<(), sqlx::Error> {
    sqlx::query("insert into people (id, partner_id, active, made_at) values ($1, $2, 1, $3)")
        .bind(id)
        .bind(partner)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Opens or closes a person's way in.
pub async fn set_person_active(db: &mut Db, id: &str, active: bool) -> Result<(), sqlx::Error> {
    sqlx::query("update people set active = $2 where id = $1")
        .bind(id)
        .bind(i64::from(active))
        .execute(db)
        .await
        .map(|_| ())
}

/// Replaces a person's roles.
pub async fn set_roles(db: &mut Db, person: &str, roles: &Roles) -> Result<(), sqlx::Error> {
    sqlx::query("delete from person_roles where person_id = $1").bind(person).execute(&mut *db).await?;
    for role in roles {
        sqlx::query("insert into person_roles (person_id, role) values ($1, $2)")
            .bind(person)
            .bind(role.name())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// A person with their roles.
pub async fn person(db: &mut Db, id: &str) -> Result<Option<Person>, sqlx::Error> {
    let rows: Vec<PersonRow> = sqlx::query_as(
        "select h.id, h.partner_id, h.active, h.made_at, r.role, l.email from people h \
         left join logins l on l.kind = 'person' and l.owner = h.id \
         left join person_roles r on r.person_id = h.id where h.id = $1",
    )
    .bind(id)
    .fetch_all(db)
    .await?;
    Ok(gathered(rows).into_iter().next())
}

/// People of one partner, or of all, by id, after `after`; at most `limit`.
pub async fn people(
    db: &mut Db,
    partner: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<Person>, sqlx::Error> {
    let rows: Vec<PersonRow> = sqlx::query_as(
        "select h.id, h.partner_id, h.active, h.made_at, r.role, l.email from \
         (select id, partner_id, active, made_at from people \
          where ($1 = '' or partner_id = $1) and id > $2 order by id limit $3) h \
         left join logins l on l.kind = 'person' and l.owner = h.id \
         left join person_roles r on r.person_id = h.id order by h.id, r.role",
    )
    .bind(partner.unwrap_or_default())
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(gathered(rows))
}

type PersonRow = (String, String, i64, i64, Option<String>, Option<String>);

/// One row per role becomes one person.
fn gathered(rows: Vec<PersonRow>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for (id, partner, active, made_at, role, email) in rows {
        let role = role.as_deref().and_then(Role::from_name);
        match people.last_mut().filter(|last| last.id == id) {
            Some(last) => last.roles.extend(role),
            None => {
                let roles = role.into_iter().collect();
                people.push(Person { id, partner, email, active: active == 1, roles, made_at });
            }
        }
    }
    people
}

/// Adds a proposal.
pub async fn insert_role_change(db: &mut Db, change: &RoleChange) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into role_changes (id, person_id, before_roles, after_roles, state, proposed_by, proposed_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&change.id)
    .bind(&change.person)
    .bind(role_words(&change.before))
    .bind(role_words(&change.after))
    .bind(&change.state)
    .bind(&change.proposed_by)
    .bind(change.proposed_at)
    .bind(change.expires_at)
    .execute(db)
    .await
    .map(|_| ())
}

type ChangeRow = (String, String, String, String, String, String, i64, i64, Option<String>);

fn change(row: ChangeRow) -> RoleChange {
    let (id, person, before, after, state, proposed_by, proposed_at, expires_at, decided_by) = row;
    let roles = |words: &str| roles_of_words(words).unwrap_or_default();
    let (before, after) = (roles(&before), roles(&after));
    RoleChange { id, person, before, after, state, proposed_by, proposed_at, expires_at, decided_by }
}

/// A proposal.
pub async fn role_change(db: &mut Db, id: &str) -> Result<Option<RoleChange>, sqlx::Error> {
    let found: Option<ChangeRow> = sqlx::query_as(
        "select id, person_id, before_roles, after_roles, state, proposed_by, proposed_at, expires_at, decided_by \
         from role_changes where id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(found.map(change))
}

/// Proposals that wait for a decision, of one partner's people or of all, the oldest first.
pub async fn role_changes_waiting(
    db: &mut Db,
    partner: Option<&str>,
    now: UnixMillis,
) -> Result<Vec<RoleChange>, sqlx::Error> {
    let found: Vec<ChangeRow> = sqlx::query_as(
        "select c.id, c.person_id, c.before_roles, c.after_roles, c.state, c.proposed_by, c.proposed_at, c.expires_at, \
         c.decided_by from role_changes c join people h on h.id = c.person_id \
         where c.state = 'proposed' and c.expires_at > $2 and ($1 = '' or h.partner_id = $1) \
         order by c.proposed_at, c.id limit 500",
    )
    .bind(partner.unwrap_or_default())
    .bind(now)
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().map(change).collect())
}

/// Decides a proposal; false if it was decided before.
pub async fn decide_role_change(
    db: &mut Db,
    id: &str,
    state: &str,
    by: &str,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update role_changes set state = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'proposed'",
    )
    .bind(id)
    .bind(state)
    .bind(by)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
