use contracts::{ContractError, WorkBatch, WorkItem};
use domain::{WorkId, WorkKind};
use uuid::Uuid;

fn batch(kind: WorkKind) -> WorkBatch {
    let item = |bits, attempt| WorkItem {
        id: WorkId::from_uuid(Uuid::from_u128(bits)),
        attempt,
    };
    WorkBatch {
        kind,
        items: vec![
            item(0x0190_a1b2_c3d4_7abc_8def_0123_4567_89ab, 1),
            item(0x0190_a1b2_c3d4_7abc_8def_0123_4567_89ac, 3),
        ],
    }
}

#[test]
fn the_wire_form_of_a_work_batch_is_stable() {
    let wire = String::from_utf8(batch(WorkKind::Send).encode()).unwrap();
    insta::assert_snapshot!(wire, @r#"{"v":1,"kind":"send","items":[["0190a1b2-c3d4-7abc-8def-0123456789ab",1],["0190a1b2-c3d4-7abc-8def-0123456789ac",3]]}"#);
}

#[test]
fn a_batch_of_every_kind_reads_back() {
    for kind in WorkKind::ALL {
        let batch = batch(*kind);
        assert_eq!(WorkBatch::decode(&batch.encode()).unwrap(), batch);
    }
    let empty = WorkBatch {
        kind: WorkKind::Event,
        items: vec![],
    };
    assert_eq!(WorkBatch::decode(&empty.encode()).unwrap(), empty);
}

#[test]
fn unknown_fields_are_ignored() {
    let wire = br#"{"v":1,"trace":"x","kind":"event","items":[]}"#;
    assert_eq!(WorkBatch::decode(wire).unwrap().kind, WorkKind::Event);
}

#[test]
fn another_version_is_refused_by_name_whatever_else_it_holds() {
    let error = WorkBatch::decode(br#"{"v":2,"kind":"dream","items":{}}"#).unwrap_err();
    assert!(matches!(error, ContractError::UnknownVersion(2)));
    assert_eq!(
        error.to_string(),
        "unknown work batch version 2, this reader knows 1"
    );
}

#[test]
fn what_is_no_batch_is_malformed() {
    for wire in [
        "",
        "{}",
        "[]",
        r#"{"v":1}"#,
        r#"{"v":"1","kind":"send","items":[]}"#,
        r#"{"v":1,"kind":"dream","items":[]}"#,
        r#"{"v":1,"kind":"send","items":[["not-a-uuid",1]]}"#,
        r#"{"v":1,"kind":"send","items":[["0190a1b2-c3d4-7abc-8def-0123456789ab"]]}"#,
    ] {
        let error = WorkBatch::decode(wire.as_bytes()).unwrap_err();
        assert!(matches!(error, ContractError::Malformed(_)), "{wire}");
    }
}
