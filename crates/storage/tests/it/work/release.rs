use std::collections::BTreeMap;

use domain::{FlowId, Lane, WorkId, WorkKind};
use storage::{
    Connection,
    work::{
        Candidate, FlowPermits, InFlight, NewWork, begin, count_released, hold_partitions, insert,
        list_in_flight, list_waiting_flows, pick_due, postpone, release, yield_partitions,
    },
};
use uuid::Uuid;

use super::{
    all_partitions, any_flow, claimed, commits_how, new_work, released, row, sole_owner, state,
};
use crate::support::{now, seconds, stage};

const LANES: [Lane; 3] = [Lane::Reply, Lane::Report, Lane::Bulk];

async fn waiting(tx: &mut Connection, flow: FlowId, count: usize) -> Vec<WorkId> {
    let works: Vec<NewWork> = (0..count)
        .map(|_| new_work(flow, Lane::Report, now()))
        .collect();
    insert(tx, &works, None).await.unwrap();
    let mut ids: Vec<WorkId> = works.iter().map(|work| work.id).collect();
    ids.sort_unstable();
    ids
}

async fn pick(tx: &mut Connection, permits: &[(FlowId, u32)]) -> Vec<Candidate> {
    let permits: Vec<FlowPermits> = permits
        .iter()
        .map(|(flow, permits)| FlowPermits {
            flow: *flow,
            permits: *permits,
        })
        .collect();
    pick_due(tx, WorkKind::Send, &permits, now()).await.unwrap()
}

#[tokio::test]
async fn every_flow_and_lane_in_which_something_waits_is_listed_once() {
    let stage = stage().await;
    let start = now();
    let mut expected = BTreeMap::new();
    let mut works = Vec::new();
    for n in 0..200_u64 {
        let flow = any_flow();
        let lane = LANES[usize::try_from(n % 3).unwrap()];
        // The first that is due is neither the first nor the last that is inserted.
        for due in [7, 3, 5] {
            let mut work = new_work(flow, lane, start);
            work.due_at = start + seconds(due + n);
            works.push(work);
        }
        let mut reply = new_work(flow, Lane::Reply, start);
        reply.due_at = start + seconds(1000);
        works.push(reply);
        expected.insert((flow, Lane::Reply), start + seconds(1000));
        expected.insert((flow, lane), start + seconds(3 + n));
    }
    let mut event = new_work(any_flow(), Lane::Report, start);
    event.kind = WorkKind::Event;
    works.push(event);
    let mut tx = stage.work().await;
    insert(&mut tx, &works, None).await.unwrap();
    released(&mut tx, 3).await;

    let listed = list_waiting_flows(&mut tx, WorkKind::Send, &all_partitions())
        .await
        .unwrap();
    assert_eq!(listed.len(), expected.len());
    let found: BTreeMap<_, _> = listed
        .iter()
        .map(|waiting| ((waiting.flow, waiting.lane), waiting.first_due_at))
        .collect();
    assert_eq!(found, expected);

    let some = list_waiting_flows(&mut tx, WorkKind::Send, &[3, 5])
        .await
        .unwrap();
    assert!(!some.is_empty());
    let there = expected
        .keys()
        .filter(|(flow, _)| [3, 5].contains(&flow.partition()));
    assert_eq!(some.len(), there.count());
    assert!(
        some.iter()
            .all(|waiting| [3, 5].contains(&waiting.flow.partition()))
    );
}

#[tokio::test]
async fn reply_goes_before_report_before_bulk_and_the_oldest_first() {
    let stage = stage().await;
    let (flow, start) = (any_flow(), now() - seconds(60));
    let mut works = Vec::new();
    for lane in [Lane::Bulk, Lane::Report, Lane::Reply] {
        for age in [10, 30, 20] {
            let mut work = new_work(flow, lane, start);
            work.due_at = start - seconds(age);
            works.push(work);
        }
    }
    let mut later = new_work(flow, Lane::Reply, start);
    later.due_at = now() + seconds(60);
    works.push(later);
    let mut tx = stage.work().await;
    insert(&mut tx, &works, None).await.unwrap();

    works.pop();
    works.sort_by_key(|work| (work.lane, work.due_at));
    let order: Vec<WorkId> = works.iter().map(|work| work.id).collect();
    for permits in [1, 4, 9, 100] {
        let picked = pick(&mut tx, &[(flow, permits)]).await;
        let picked: Vec<WorkId> = picked.iter().map(|candidate| candidate.id).collect();
        assert_eq!(
            picked,
            order[..order.len().min(permits as usize)],
            "{permits}"
        );
    }
}

#[tokio::test]
async fn each_flow_gets_its_own_permits() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let flows: Vec<FlowId> = (0..4).map(|_| any_flow()).collect();
    for flow in &flows {
        waiting(&mut tx, *flow, 5).await;
    }
    let permits = [(flows[0], 1), (flows[1], 3), (flows[2], 99)];
    let picked = pick(&mut tx, &permits).await;
    let counts: Vec<usize> = flows
        .iter()
        .map(|flow| picked.iter().filter(|it| it.flow == *flow).count())
        .collect();
    assert_eq!(counts, [1, 3, 5, 0]);
}

#[tokio::test]
async fn only_the_owner_of_a_partition_releases_its_work_and_only_once() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let work = waiting(&mut tx, any_flow(), 2).await;
    let lease = now() + seconds(5);
    let stranger = Uuid::new_v4();
    assert_eq!(
        release(&mut tx, stranger, &work, now(), lease)
            .await
            .unwrap(),
        []
    );
    let owner = sole_owner(&mut tx).await;
    assert_eq!(
        release(&mut tx, stranger, &work, now(), lease)
            .await
            .unwrap(),
        []
    );

    // Its lease is over, though nobody took the partition yet.
    let much_later = now() + seconds(601);
    assert_eq!(
        release(&mut tx, owner, &work, much_later, lease)
            .await
            .unwrap(),
        []
    );
    assert_eq!(state(&mut tx, work[0]).await.unwrap(), "waiting");

    let durable = sqlx::query("set local synchronous_commit = on");
    durable.execute(&mut *tx).await.unwrap();
    let mut done = release(&mut tx, owner, &work, now(), lease).await.unwrap();
    done.sort_unstable();
    assert_eq!(done, work);
    assert_eq!(commits_how(&mut tx).await, "off");
    let stored = row(&mut tx, work[0]).await.unwrap();
    assert_eq!(
        (&*stored.state, stored.lease_until, stored.attempt),
        ("released", Some(lease), 0)
    );
    assert_eq!(
        release(&mut tx, owner, &work, now(), lease).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn who_yielded_its_partitions_releases_nothing() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let work = waiting(&mut tx, any_flow(), 1).await;
    let owner = sole_owner(&mut tx).await;
    yield_partitions(&mut tx, WorkKind::Send, owner)
        .await
        .unwrap();
    let lease = now() + seconds(5);
    assert_eq!(
        release(&mut tx, owner, &work, now(), lease).await.unwrap(),
        []
    );
    // To own the same partition of another kind is not enough.
    hold_partitions(&mut tx, WorkKind::Event, owner, now(), lease)
        .await
        .unwrap();
    assert_eq!(
        release(&mut tx, owner, &work, now(), lease).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn what_is_out_is_counted_by_flow() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    waiting(&mut tx, any_flow(), 3).await;
    let claims = claimed(&mut tx, 2).await;
    let flow = claims[0].flow;
    let to_someone = || NewWork {
        pair: Some(b"someone".to_vec()),
        ..new_work(flow, Lane::Bulk, now())
    };
    let more: Vec<NewWork> = (0..3).map(|_| to_someone()).collect();
    insert(&mut tx, &more, Some(now() + seconds(5)))
        .await
        .unwrap();
    let in_flight = list_in_flight(&mut tx, WorkKind::Send, &all_partitions())
        .await
        .unwrap();
    let expected = InFlight {
        out: 5,
        unused: 5,
        unused_pairs: vec![b"someone".to_vec(); 3],
        ..InFlight::none(flow)
    };
    assert_eq!(in_flight, [expected]);
    let released = count_released(&mut tx, WorkKind::Send, &all_partitions()).await;
    assert_eq!(released.unwrap(), 3);
    // What has begun was acted on.
    let begun = [(claims[0].id, claims[0].attempt)];
    begin(&mut tx, &begun, now() + seconds(60)).await.unwrap();
    let in_flight = list_in_flight(&mut tx, WorkKind::Send, &all_partitions())
        .await
        .unwrap();
    assert_eq!((in_flight[0].unused, in_flight[0].out), (4, 5));
    let elsewhere: Vec<i16> = all_partitions()
        .into_iter()
        .filter(|p| *p != flow.partition())
        .collect();
    assert_eq!(
        list_in_flight(&mut tx, WorkKind::Send, &elsewhere)
            .await
            .unwrap(),
        []
    );
    let released = count_released(&mut tx, WorkKind::Send, &elsewhere).await;
    assert_eq!(released.unwrap(), 0);
}

#[tokio::test]
async fn postponed_work_waits_again_with_a_reason_unless_it_is_claimed() {
    let stage = stage().await;
    let mut tx = stage.work().await;
    let waiting = waiting(&mut tx, any_flow(), 1).await[0];
    let released = released(&mut tx, 1).await[0].0;
    let claim = claimed(&mut tx, 1).await.remove(0);
    let due = now() + seconds(30);
    let all = [waiting, released, claim.id].map(|id| (id, due));
    postpone(&mut tx, &all, "not yet").await.unwrap();
    for id in [waiting, released] {
        let row = row(&mut tx, id).await.unwrap();
        assert_eq!(
            (&*row.state, row.due_at, row.lease_until),
            ("waiting", due, None)
        );
        assert_eq!(row.reason.as_deref(), Some("not yet"));
    }
    assert_eq!(state(&mut tx, claim.id).await.unwrap(), "claimed");
}
