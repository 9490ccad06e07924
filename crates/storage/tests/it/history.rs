use chrono::{DateTime, Utc};
use domain::{Delivery, MessageId, MessageState, ReportedStatus, StatusReport};
use storage::messages::{
    HistoryFilter, count_history, find_state, find_stats, list_history, update_states,
};

use crate::support::{Lab, Stage, attachment, message, now, seconds, stage};

fn everything(lab: Lab) -> HistoryFilter {
    HistoryFilter {
        tenant_id: lab.tenant,
        state: None,
        from: None,
        until: None,
        limit: 100,
        offset: 0,
    }
}

/// A message accepted at that instant, and what was heard of it.
async fn message_at(
    stage: &Stage,
    lab: Lab,
    at: DateTime<Utc>,
    heard: &[ReportedStatus],
) -> MessageId {
    let mut message = message(lab);
    message.message.id = MessageId::new_at(at);
    message.message.created_at = at;
    let id = message.message.id;
    stage.accept(lab, &[message]).await;
    let mut tx = stage.work().await;
    let mut row = find_state(&mut tx, id).await.unwrap().unwrap();
    row.delivery = heard.iter().fold(row.delivery, |delivery, status| {
        Delivery::apply(
            delivery,
            &StatusReport {
                status: *status,
                at,
                cause: None,
            },
        )
    });
    update_states(&mut tx, &[row]).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Filters, and which of four messages, a minute apart, each finds and counts.
fn cases(
    all: &HistoryFilter,
    at: impl Fn(u64) -> DateTime<Utc>,
) -> Vec<(HistoryFilter, Vec<usize>, i64)> {
    let with = |change: &dyn Fn(&mut HistoryFilter)| {
        let mut filter = all.clone();
        change(&mut filter);
        filter
    };
    vec![
        (all.clone(), vec![3, 2, 1, 0], 4),
        (
            with(&|it| it.state = Some(MessageState::Delivered)),
            vec![3, 0],
            2,
        ),
        (with(&|it| it.state = Some(MessageState::Read)), vec![], 0),
        (with(&|it| it.from = Some(at(1))), vec![3, 2, 1], 3),
        // `until` is exclusive.
        (with(&|it| it.until = Some(at(2))), vec![1, 0], 2),
        (
            with(&|it| (it.from, it.until) = (Some(at(1)), Some(at(3)))),
            vec![2, 1],
            2,
        ),
        (with(&|it| (it.limit, it.offset) = (2, 1)), vec![2, 1], 4),
    ]
}

#[tokio::test]
async fn history_is_filtered_paged_and_counted() {
    use ReportedStatus::{Delivered, Failed, Sent};
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let start = now() - seconds(600);
    let at = |n: u64| start + seconds(n * 60);
    let ids = [
        message_at(&stage, lab, at(0), &[Sent, Delivered]).await,
        message_at(&stage, lab, at(1), &[Failed]).await,
        message_at(&stage, lab, at(2), &[]).await,
        message_at(&stage, lab, at(3), &[Sent, Delivered]).await,
    ];
    message_at(&stage, other, at(1), &[Sent]).await;
    let mut tx = stage
        .gateway
        .begin_for(&[lab.tenant, other.tenant])
        .await
        .unwrap();
    for (filter, expected, count) in cases(&everything(lab), at) {
        let rows = list_history(&mut tx, &filter).await.unwrap();
        let found: Vec<MessageId> = rows.iter().map(|row| row.id).collect();
        let expected: Vec<MessageId> = expected.into_iter().map(|n| ids[n]).collect();
        assert_eq!(found, expected, "{filter:?}");
        let counted = count_history(&mut tx, &filter).await.unwrap();
        assert_eq!(counted, count, "{filter:?}");
    }
}

#[tokio::test]
async fn a_row_of_the_history_says_what_is_known() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let (mut with_file, file) = (message(lab), attachment(lab));
    with_file.message.attachment_id = Some(file.id);
    with_file.attachment = Some(file);
    stage.accept(lab, &[with_file]).await;
    message_at(
        &stage,
        lab,
        now(),
        &[ReportedStatus::Sent, ReportedStatus::Read],
    )
    .await;
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let rows = list_history(&mut tx, &everything(lab)).await.unwrap();
    assert_eq!(
        (rows[0].state, rows[0].has_attachment),
        (MessageState::Read, false)
    );
    assert!(
        rows[0].sent_at.is_some() && rows[0].read_at.is_some() && rows[0].delivered_at.is_none()
    );
    assert_eq!(
        (rows[1].state, rows[1].has_attachment),
        (MessageState::Queued, true)
    );
    assert_eq!(rows[1].recipient, b"sealed recipient");
}

#[tokio::test]
async fn stats_count_one_labs_messages() {
    use ReportedStatus::{Delivered, Failed, Read, Sent};
    let stage = stage().await;
    let (lab, other) = (stage.lab().await, stage.lab().await);
    let month = now() - seconds(300);
    message_at(&stage, lab, month - seconds(60), &[Sent, Delivered, Read]).await;
    let sent_last = month + seconds(60);
    message_at(&stage, lab, month, &[Sent, Delivered]).await;
    message_at(&stage, lab, sent_last, &[Sent]).await;
    message_at(&stage, lab, month + seconds(1), &[Failed]).await;
    message_at(&stage, lab, month + seconds(2), &[]).await;
    message_at(&stage, other, now(), &[Sent]).await;
    let mut tx = stage.gateway.begin_for(&[lab.tenant]).await.unwrap();
    let stats = find_stats(&mut tx, lab.tenant, month).await.unwrap();
    assert_eq!(
        (stats.total, stats.this_month, stats.reached, stats.settled),
        (5, 4, 2, 3)
    );
    assert_eq!(stats.last_sent_at, Some(sent_last));
    let none = find_stats(&mut tx, other.tenant, month).await.unwrap();
    assert_eq!((none.total, none.last_sent_at), (0, None));
}
