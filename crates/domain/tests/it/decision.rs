use domain::{ApiKeyId, Decider, DiscardReason, InvalidReason, Wamid};
use rstest::rstest;

#[test]
fn a_decision_tells_whose_it_was() {
    let key: ApiKeyId = "key_00000000000070008000000000000001".parse().unwrap();
    assert_eq!(
        Decider::Key(key).to_string(),
        "key_00000000000070008000000000000001"
    );
    assert_eq!(Decider::Operator.to_string(), "operator");
}

#[rstest]
#[case::words("the lab has closed this endpoint", "the lab has closed this endpoint")]
#[case::space_around_it("  told by phone \n", "told by phone")]
#[case::small_numbers("answered 410, order 4711", "answered 410, order 4711")]
#[case::another_script("रिपोर्ट दोबारा भेजी गई", "रिपोर्ट दोबारा भेजी गई")]
fn a_reason_in_words_is_taken(#[case] text: &str, #[case] kept: &str) {
    assert_eq!(text.parse::<DiscardReason>().unwrap().as_str(), kept);
}

#[rstest]
#[case::phone("told 9876543210", InvalidReason::Digits)]
#[case::phone_in_groups("told +91 98765-43210", InvalidReason::Digits)]
#[case::six_digits("patient 123456", InvalidReason::Digits)]
#[case::digits_of_another_script("मरीज १२३४५६", InvalidReason::Digits)]
#[case::nothing("  ", InvalidReason::Shape)]
#[case::lines("one\ntwo", InvalidReason::Shape)]
fn a_reason_that_may_name_a_patient_is_refused(#[case] text: &str, #[case] why: InvalidReason) {
    assert_eq!(text.parse::<DiscardReason>(), Err(why));
}

#[test]
fn a_reason_is_short() {
    assert!("x".repeat(200).parse::<DiscardReason>().is_ok());
    assert_eq!(
        "x".repeat(201).parse::<DiscardReason>(),
        Err(InvalidReason::Shape)
    );
}

#[test]
fn an_id_of_the_providers_is_known_by_its_shape_and_not_shown() {
    let id: Wamid = "wamid.HBgMOTE5ODc2NTQzMjEwFQIAERgS".parse().unwrap();
    assert_eq!(format!("{id:?}"), "Wamid(..)");
    assert_eq!(id.into_string(), "wamid.HBgMOTE5ODc2NTQzMjEwFQIAERgS");
    for odd in ["", "wamid.", "HBgM", "wamid.a b", "wamid.é"] {
        assert!(odd.parse::<Wamid>().is_err(), "{odd}");
    }
    assert!(
        format!("wamid.{}", "x".repeat(251))
            .parse::<Wamid>()
            .is_err()
    );
}
