use chrono::{DateTime, Utc};
use domain::{AttachmentId, MessageId};
use storage::{
    attachments::{MediaUpload, upsert_media_uploads},
    inbound::{Window, open_windows},
    messages::{Acceptance, NewMessage, find_state, list_sendable},
};

use crate::support::{Lab, attachment, message, now, seconds, stage};

fn with_file(lab: Lab) -> (NewMessage, AttachmentId) {
    let file = attachment(lab);
    let mut new = message(lab);
    let id = file.id;
    new.message.attachment_id = Some(id);
    new.attachment = Some(file);
    (new, id)
}

fn upload(lab: Lab, file: AttachmentId, media: &str, expires_at: DateTime<Utc>) -> MediaUpload {
    MediaUpload {
        attachment_id: file,
        sender_number_id: lab.number,
        tenant_id: lab.tenant,
        media_id: media.to_owned(),
        expires_at,
    }
}

#[tokio::test]
async fn what_is_to_be_sent_comes_with_all_that_is_stored_for_it() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let batch = [with_file(lab).0, message(lab)];
    assert_eq!(stage.accept(lab, &batch).await, [Acceptance::Accepted; 2]);

    let mut tx = stage.work().await;
    let [first, second] = [0, 1].map(|place: usize| batch[place].message.id);
    let ids = [second, MessageId::new_at(now()), first];
    let found = list_sendable(&mut tx, &ids, now()).await.unwrap();
    assert_eq!(found.len(), 2);
    for new in &batch {
        let sendable = found.iter().find(|it| it.message.id == new.message.id);
        let sendable = sendable.unwrap();
        assert_eq!(
            format!("{:?}", sendable.message),
            format!("{:?}", new.message)
        );
        let row = find_state(&mut tx, new.message.id).await.unwrap().unwrap();
        assert_eq!(sendable.row, row);
        let stored = sendable.file.as_ref().map(|it| &it.attachment);
        assert_eq!(stored, new.attachment.as_ref());
        assert_eq!(sendable.window_until, None);
    }
}

#[tokio::test]
async fn of_uploads_stored_together_the_last_to_expire_counts_and_those_of_unknown_files_are_left_out()
 {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (new, file) = with_file(lab);
    stage.accept(lab, std::slice::from_ref(&new)).await;
    let end = |after| now() + seconds(after);
    let uploads = [
        upload(lab, file, "first", end(60)),
        upload(lab, file, "second", end(120)),
        upload(lab, attachment(lab).id, "of an unknown file", end(60)),
    ];
    let mut tx = stage.work().await;
    upsert_media_uploads(&mut tx, &uploads).await.unwrap();
    let found = list_sendable(&mut tx, &[new.message.id], now()).await;
    let file = found.unwrap().remove(0).file.unwrap();
    assert_eq!(file.media_id.as_deref(), Some("second"));
    let count = "select count(*) from media_uploads";
    let stored: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn an_upload_is_reused_while_it_lives_and_a_window_is_known() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (new, file) = with_file(lab);
    stage.accept(lab, std::slice::from_ref(&new)).await;
    let start = now();

    let mut tx = stage.work().await;
    for (media, end) in [("first", 60), ("second", 120)] {
        let upload = upload(lab, file, media, start + seconds(end));
        upsert_media_uploads(&mut tx, &[upload]).await.unwrap();
        for (after, expected) in [(end - 1, Some(media)), (end, None)] {
            let at = start + seconds(after);
            let found = list_sendable(&mut tx, &[new.message.id], at).await.unwrap();
            let stored = found[0].file.as_ref().unwrap();
            assert_eq!(stored.media_id.as_deref(), expected);
        }
    }

    let window = Window {
        sender_number_id: lab.number,
        contact_hash: new.message.recipient_hash.clone(),
        tenant_id: lab.tenant,
        expires_at: start + seconds(9),
    };
    open_windows(&mut tx, std::slice::from_ref(&window))
        .await
        .unwrap();
    let found = list_sendable(&mut tx, &[new.message.id], start).await;
    assert_eq!(found.unwrap()[0].window_until, Some(window.expires_at));
}
