//! The rows of a real PostgreSQL, read as they are.

use std::path::Path;

use auditor::{DeadLetterRow, DeliveryId, DeliveryRow, LedgerError, Ledgers, StatusName, audit};
use secrecy::SecretString;
use testkit::{TestDatabase, database};
use uuid::Uuid;

use crate::{
    recording,
    scene::{PARKS, RESENDS, Scene},
};

/// One message of each sort, and something of every table.
fn scene() -> Scene {
    let mut scene = Scene::new();
    let read = scene.read(PARKS);
    let failed = scene.accept(RESENDS);
    scene.send(failed);
    scene.status(failed, StatusName::Failed);
    let doubted = scene.accept(PARKS);
    scene.provider_accepts(doubted);
    scene.doubt(doubted);
    let half = scene.read(RESENDS);
    scene.row(half).has_content = false;
    scene.accept_unheard(PARKS);
    scene.leave_work("send", doubted.0);
    scene.leave_work("event", Uuid::now_v7());
    let database = &mut scene.ledgers.database;
    for message_id in [Some(read), None] {
        database.deliveries.push(DeliveryRow {
            id: DeliveryId(Uuid::now_v7()),
            message_id,
            was_delivered: false,
        });
    }
    database.dead_letters.push(DeadLetterRow {
        kind: "callback".to_owned(),
        subject: database.deliveries.last().unwrap().id.0,
        reason: "given up after 8 attempts".to_owned(),
    });
    scene
}

async fn read(folder: &Path, url: &str) -> Result<Ledgers, LedgerError> {
    Ledgers::read(folder, &SecretString::from(url)).await
}

async fn recorded(scene: &Scene) -> (tempfile::TempDir, TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    recording::write(&scene.ledgers, folder.path());
    let database = database().await;
    recording::store(&scene.ledgers, &database).await;
    (folder, database)
}

#[tokio::test]
async fn what_is_read_is_judged_as_what_was_written() {
    let scene = scene();
    let (folder, database) = recorded(&scene).await;
    let ledgers = read(folder.path(), &database.owner_url).await.unwrap();
    let sorted = |rows: &auditor::Rows| {
        let mut rows: Vec<String> = [
            rows.messages
                .iter()
                .map(|it| format!("{it:?}"))
                .collect::<Vec<_>>(),
            rows.timeline.iter().map(|it| format!("{it:?}")).collect(),
            rows.work.iter().map(|it| format!("{it:?}")).collect(),
            rows.dead_letters
                .iter()
                .map(|it| format!("{it:?}"))
                .collect(),
            rows.deliveries.iter().map(|it| format!("{it:?}")).collect(),
            rows.keys.iter().map(|it| format!("{it:?}")).collect(),
        ]
        .concat();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&ledgers.database), sorted(&scene.ledgers.database));
    assert_eq!(audit(&ledgers).to_json(), scene.audit().to_json());
}

/// The pipeline forgets a doubt that is over, and takes back that it gave up: its timeline keeps both.
#[tokio::test]
async fn what_a_message_once_was_is_read_from_its_timeline() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    let (folder, database) = recorded(&scene).await;
    for result in ["failed", "unconfirmed"] {
        let insert = format!(
            "insert into timeline (message_id, id, tenant_id, at, kind, detail)
             select message_id, gen_random_uuid(), tenant_id, now(), 'attempt', '{{\"result\": \"{result}\"}}' from message_state"
        );
        let before = read(folder.path(), &database.owner_url).await.unwrap();
        database.execute(&insert).await;
        let after = read(folder.path(), &database.owner_url).await.unwrap();
        let was = |ledgers: &Ledgers| {
            let message = &ledgers.database.messages[0];
            if result == "failed" {
                message.was_failed
            } else {
                message.was_unconfirmed
            }
        };
        assert_eq!((was(&before), was(&after)), (false, true), "{result}");
    }
}

/// That we gave it up ourselves is a cause like any other.
#[tokio::test]
async fn a_message_that_was_given_up_has_failed_with_its_cause() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    let (folder, database) = recorded(&scene).await;
    let give_up = r#"update message_state set given_up_at = now(), given_up = '{"class": "permanent", "detail": "given up"}'"#;
    database.execute(give_up).await;
    let ledgers = read(folder.path(), &database.owner_url).await.unwrap();
    let message = &ledgers.database.messages[0];
    assert!(message.was_failed);
    assert_eq!(message.failure_class.as_deref(), Some("permanent"));
    assert_eq!(message.failure_detail.as_deref(), Some("given up"));
}

#[tokio::test]
async fn a_role_that_does_not_see_every_row_is_refused() {
    let (folder, database) = recorded(&Scene::new()).await;
    for url in [&database.gateway_url, &database.worker_url] {
        let result = read(folder.path(), url).await;
        assert!(matches!(result, Err(LedgerError::Database(_))));
    }
}
