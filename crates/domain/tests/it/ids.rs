use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{FlowId, InvalidId, MessageId, PARTITIONS, Scope, SenderNumberId, TenantId};
use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

const UUID: Uuid = Uuid::from_u128(0x0190_a1b2_c3d4_7abc_8def_0123_4567_89ab);
const TEXT: &str = "lab_0190a1b2c3d47abc8def0123456789ab";

fn instant() -> DateTime<Utc> {
    "2026-11-21T10:30:00.123456Z".parse().unwrap()
}

#[test]
fn an_id_has_one_text_form_everywhere() {
    let id = TenantId::from_uuid(UUID);
    assert_eq!(id.to_string(), TEXT);
    assert_eq!(format!("{id:?}"), TEXT);
    assert_eq!(TEXT.parse(), Ok(id));
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
    assert_eq!(serde_json::from_value::<TenantId>(TEXT.into()).unwrap(), id);
}

#[rstest]
#[case::other_kind("msg_0190a1b2c3d47abc8def0123456789ab")]
#[case::uppercase("lab_0190A1B2C3D47ABC8DEF0123456789AB")]
#[case::hyphens("lab_0190a1b2-c3d4-7abc-8def-0123456789ab")]
#[case::too_short("lab_0190a1b2c3d47abc8def0123456789a")]
#[case::too_long("lab_0190a1b2c3d47abc8def0123456789abc")]
#[case::not_hexadecimal("lab_0190a1b2c3d47abc8def0123456789ag")]
#[case::no_prefix("0190a1b2c3d47abc8def0123456789ab")]
#[case::no_separator("lab0190a1b2c3d47abc8def0123456789ab")]
#[case::surrounded(" lab_0190a1b2c3d47abc8def0123456789ab")]
#[case::empty("")]
fn any_other_spelling_is_refused(#[case] text: &str) {
    let refused: InvalidId = text.parse::<TenantId>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "expected lab_ followed by 32 lowercase hexadecimal digits"
    );
}

#[test]
fn a_new_id_carries_its_instant_and_sorts_by_it() {
    let first = MessageId::new_at(instant());
    let later = MessageId::new_at(instant() + Duration::from_millis(1));
    assert_eq!(first.as_uuid().get_version_num(), 7);
    let (seconds, nanos) = first.as_uuid().get_timestamp().unwrap().to_unix();
    assert_eq!((seconds, nanos), (1_795_257_000, 123_000_000));
    assert!(first < later);
    assert_ne!(first, MessageId::new_at(instant()));
}

#[test]
fn an_instant_before_1970_still_gives_an_id() {
    let id = MessageId::new_at(DateTime::from_timestamp(-5, 0).unwrap());
    assert_eq!(id.as_uuid().get_timestamp().unwrap().to_unix(), (0, 0));
}

#[rstest]
#[case(Uuid::nil(), 12)]
#[case(Uuid::max(), 13)]
#[case(UUID, 14)]
fn partitions_never_change(#[case] uuid: Uuid, #[case] partition: i16) {
    assert_eq!(FlowId::from_uuid(uuid).partition(), partition);
}

#[test]
fn flows_made_together_spread_evenly_over_the_partitions() {
    let flows = 16_000;
    let mut sizes = vec![0_u32; usize::try_from(PARTITIONS).unwrap()];
    for _ in 0..flows {
        let id = SenderNumberId::new_at(instant());
        let partition = FlowId::from_uuid(id.as_uuid()).partition();
        sizes[usize::try_from(partition).unwrap()] += 1;
    }
    // Eight standard deviations either way.
    assert!(
        sizes.iter().all(|size| (750..1250).contains(size)),
        "{sizes:?}"
    );
}

#[test]
fn a_flow_is_a_plain_uuid_on_the_wire() {
    let json = serde_json::to_string(&FlowId::from_uuid(UUID)).unwrap();
    assert_eq!(json, "\"0190a1b2-c3d4-7abc-8def-0123456789ab\"");
}

#[test]
fn scopes_of_one_id_are_distinct_and_read_back() {
    let number = SenderNumberId::from_uuid(UUID);
    let scopes = [
        Scope::credential(number),
        Scope::number(number),
        Scope::account("102290129340398"),
        Scope::app("main"),
        Scope::pair(FlowId::from_uuid(UUID), &[0, 255]),
        Scope::template(domain::TemplateId::from_uuid(UUID)),
        Scope::message(MessageId::from_uuid(UUID)),
    ];
    assert_eq!(scopes.iter().collect::<HashSet<_>>().len(), scopes.len());
    for scope in scopes {
        assert_eq!(scope.as_str().parse(), Ok(scope.clone()));
    }
}

#[rstest]
#[case("credential")]
#[case("credential:")]
#[case("credential:tpl_0190a1b2c3d47abc8def0123456789ab")]
#[case("tenant:lab_0190a1b2c3d47abc8def0123456789ab")]
fn a_text_that_names_no_scope_is_refused(#[case] text: &str) {
    assert!(text.parse::<Scope>().is_err());
}

proptest! {
    #[test]
    fn every_id_reads_back(bits: u128) {
        let id = MessageId::from_uuid(Uuid::from_u128(bits));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn every_flow_has_a_partition(bits: u128) {
        let partition = FlowId::from_uuid(Uuid::from_u128(bits)).partition();
        prop_assert!((0..PARTITIONS).contains(&partition));
    }
}
