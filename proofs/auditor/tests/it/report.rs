//! How a verdict reads, to people and to machines.

use auditor::State;
use serde_json::{Value, json};

use crate::scene::{PARKS, Scene};

#[test]
fn the_report_has_every_count_in_all_and_by_fault() {
    let mut scene = Scene::new();
    scene.read(PARKS);
    let report: Value = serde_json::from_str(&scene.audit().to_json()).unwrap();
    let tally = |injected, in_flight| {
        json!({
            "injected": injected, "in_flight": in_flight, "lost": 0, "duplicated": 0, "misdirected": 0,
            "unresolved": 0, "wrong_state": 0, "callbacks_missing": 0,
        })
    };
    let expected = json!({
        "seed": 42, "reports": 1, "gave_up": 0, "lost": 0, "duplicated": 0, "misdirected": 0, "unresolved": 0,
        "wrong_state": 0, "callbacks_missing": 0, "callbacks_wrong": 0, "callbacks_forged": 0, "unexplained": 0,
        "unasked": 0, "never_injected": 0, "counted_resends": 0, "operator_decisions": 0,
        "faults": { "broker stopped": tally(1, 1) }, "outside_faults": tally(0, 0), "breaches": [], "ok": true,
    });
    assert_eq!(report, expected);
}

#[test]
fn the_report_lists_every_breach_with_what_each_ledger_says() {
    let mut scene = Scene::new();
    let message = scene.read(PARKS);
    scene.unsay(message, State::Read);
    scene.fault("disk full", &[]);
    let report: Value = serde_json::from_str(&scene.audit().to_json()).unwrap();
    assert_eq!(
        (&report["ok"], &report["callbacks_missing"]),
        (&json!(false), &json!(1))
    );
    let breaches = report["breaches"].as_array().unwrap();
    assert_eq!(breaches.len(), 2);
    assert_eq!(breaches[0]["kind"], "callbacks_missing");
    assert_eq!(breaches[0]["id"], message.to_string());
    assert_eq!(breaches[0]["callbacks"], "message.sent, message.delivered");
    assert_eq!(
        breaches[1],
        json!({ "kind": "never_injected", "id": "disk full", "why": "the run names it and it never happened" })
    );
}

#[test]
fn the_table_has_a_line_for_each_fault_and_the_whole() {
    let mut scene = Scene::new();
    scene.fault("disk full", &[(500, 510)]);
    scene.read(PARKS);
    let expected = "\
fault           injected  in flight  lost  duplicated  misdirected  unresolved  wrong state  callbacks missing
broker stopped         1          1     0           0            0           0            0                  0
disk full              1          0     0           0            0           0            0                  0
(during none)          0          0     0           0            0           0            0                  0
(all)                  2          1     0           0            0           0            0                  0

seed 42; 1 reports, 0 posts given up; 0 counted resends, 0 decisions of an operator
every promise was kept
";
    assert_eq!(scene.audit().to_string(), expected);
}

#[test]
fn twenty_breaches_are_told_in_full_and_the_rest_are_counted() {
    let mut scene = Scene::new();
    for _ in 0..30 {
        scene.accept(PARKS);
        scene.ledgers.database.messages.pop();
    }
    let untold = scene.read(PARKS);
    scene.unsay(untold, State::Read);
    let text = scene.audit().to_string();
    assert_eq!(text.matches("\nlost: ").count(), 19, "{text}");
    assert!(
        text.contains(&format!("\ncallbacks missing: {untold}: ")),
        "{text}"
    );
    assert!(
        text.ends_with("\n31 breaches:\n  30 lost\n  1 callbacks missing\n"),
        "{text}"
    );
}
