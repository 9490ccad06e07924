use domain::{ErrorClass, FailureCause, InboundMessageId, ReportedStatus, StatusReport};
use storage::{
    inbound::{
        NewInbound, Window, find_window, insert_inbound, insert_unmatched, lock_wamids,
        open_windows, take_unmatched,
    },
    messages::{MessageRow, find_state, list_ids_by_wamid, update_states},
    partitions::drop_closed_windows,
};

use crate::support::{Lab, Stage, now, seconds, stage};

fn report(status: ReportedStatus) -> StatusReport {
    StatusReport {
        status,
        at: now() - seconds(1),
        cause: (status == ReportedStatus::Failed).then(|| FailureCause {
            code: Some(1),
            class: ErrorClass::Policy,
            detail: "refused".to_owned(),
        }),
    }
}

#[tokio::test]
async fn an_inbound_message_is_stored_once() {
    let stage = stage().await;
    let (a, b) = (stage.lab().await, stage.lab().await);
    let inbound = |lab: Lab| NewInbound {
        id: InboundMessageId::new_at(now()),
        tenant_id: lab.tenant,
        sender_number_id: lab.number,
        wamid: "wamid.in".to_owned(),
        kind: "text".to_owned(),
        contact_hash: vec![1],
        content: vec![2],
        sent_at: now(),
        received_at: now(),
    };
    let mut tx = stage.work().await;
    // An id is the provider's word; another number may have the same.
    let together = [inbound(a), inbound(a), inbound(b)];
    let stored = insert_inbound(&mut tx, &together).await.unwrap();
    let [first, again, other] = together.map(|it| it.id);
    assert!(stored.contains(&first) != stored.contains(&again));
    assert!(stored.contains(&other));
    let later = [inbound(a), inbound(b)];
    let stored = insert_inbound(&mut tx, &later).await.unwrap();
    assert!(stored.is_empty(), "{stored:?}");
}

#[tokio::test]
async fn a_window_is_prolonged_and_never_shortened() {
    let stage = stage().await;
    let lab = stage.lab().await;
    let opens = now();
    let mut tx = stage.work().await;
    let window = |hours: u64| Window {
        sender_number_id: lab.number,
        contact_hash: vec![1],
        tenant_id: lab.tenant,
        expires_at: opens + seconds(hours * 3600),
    };
    for together in [vec![24], vec![26, 30, 28], vec![20]] {
        let windows: Vec<Window> = together.into_iter().map(window).collect();
        open_windows(&mut tx, &windows).await.unwrap();
    }
    let end = opens + seconds(30 * 3600);
    let find = find_window(&mut tx, lab.number, &[1], end - seconds(1));
    assert_eq!(find.await.unwrap(), Some(end));
    assert_eq!(
        find_window(&mut tx, lab.number, &[1], end).await.unwrap(),
        None
    );
    assert_eq!(
        find_window(&mut tx, lab.number, &[2], opens).await.unwrap(),
        None
    );
    assert_eq!(drop_closed_windows(&mut tx, end).await.unwrap(), 0);
    assert_eq!(
        drop_closed_windows(&mut tx, end + seconds(1))
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn unmatched_reports_are_kept_once_and_taken_once() {
    let stage = stage().await;
    let wamids = ["wamid.1".to_owned()];
    let reports = [report(ReportedStatus::Sent), report(ReportedStatus::Failed)];
    let mut tx = stage.work().await;
    lock_wamids(&mut tx, &wamids).await.unwrap();
    let of = |wamid: &str, report: &StatusReport| (wamid.to_owned(), report.clone());
    let first = of("wamid.1", &reports[0]);
    let together = [
        first.clone(),
        of("wamid.1", &reports[1]),
        first.clone(),
        of("wamid.2", &reports[0]),
    ];
    for reports in [together.as_slice(), &[first]] {
        insert_unmatched(&mut tx, reports, now()).await.unwrap();
    }
    let mut taken = take_unmatched(&mut tx, &wamids).await.unwrap();
    taken.sort_by_key(|(_, report)| report.status);
    let expected = reports.map(|report| ("wamid.1".to_owned(), report));
    assert_eq!(taken, expected);
    assert_eq!(take_unmatched(&mut tx, &wamids).await.unwrap(), []);
}

/// The two sides of the join by wamid, each in a transaction of its own, over and over at the same time: a report either
/// finds its message or is found by it.
#[tokio::test]
async fn a_report_and_its_send_never_miss_each_other() {
    let stage = stage().await;
    let lab = stage.lab().await;
    for round in 0..40 {
        let wamids: Vec<String> = (0..4).map(|n| format!("wamid.{round}.{n}")).collect();
        let mut rows = Vec::new();
        for wamid in wamids.iter().rev() {
            let id = stage.message(lab).await;
            let mut tx = stage.work().await;
            let mut row = find_state(&mut tx, id).await.unwrap().unwrap();
            row.wamid = Some(wamid.clone());
            rows.push(row);
        }
        let (early, joined) = tokio::join!(hear(&stage, &wamids), send(&stage, &rows));
        assert_eq!(
            early + joined,
            4,
            "round {round}: {early} found, {joined} joined"
        );
    }
    assert_eq!(stage.count("unmatched_statuses").await, 0);
}

/// Reports arrive. Returns how many found their message.
async fn hear(stage: &Stage, wamids: &[String]) -> usize {
    let mut tx = stage.work().await;
    lock_wamids(&mut tx, wamids).await.unwrap();
    let known = list_ids_by_wamid(&mut tx, wamids).await.unwrap();
    let unknown = wamids
        .iter()
        .filter(|wamid| !known.iter().any(|(it, _)| it == *wamid));
    let reports: Vec<_> = unknown
        .map(|wamid| (wamid.clone(), report(ReportedStatus::Sent)))
        .collect();
    insert_unmatched(&mut tx, &reports, now()).await.unwrap();
    tx.commit().await.unwrap();
    known.len()
}

/// Sends are recorded. Returns how many reports were there already.
async fn send(stage: &Stage, rows: &[MessageRow]) -> usize {
    let wamids: Vec<String> = rows.iter().filter_map(|row| row.wamid.clone()).collect();
    let mut tx = stage.work().await;
    lock_wamids(&mut tx, &wamids).await.unwrap();
    let early = take_unmatched(&mut tx, &wamids).await.unwrap();
    update_states(&mut tx, rows).await.unwrap();
    tx.commit().await.unwrap();
    early.len()
}
