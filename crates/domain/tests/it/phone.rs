use domain::{InvalidPhoneNumber, PhoneNumber, Region, UnknownRegion};
use rstest::rstest;

fn parse(raw: &str, region: &str) -> Result<PhoneNumber, InvalidPhoneNumber> {
    PhoneNumber::parse(raw, region.parse().unwrap())
}

#[rstest]
#[case::national("9876543210", "IN")]
#[case::trunk_zero("09876543210", "IN")]
#[case::bare_country_code("919876543210", "IN")]
#[case::international("+919876543210", "IN")]
#[case::double_zero("00919876543210", "IN")]
#[case::separators("+91 98765-43210", "IN")]
#[case::brackets("(+91) 98765.43210", "IN")]
#[case::padded("  9876543210\n", "IN")]
#[case::copied_from_a_document("\u{202a}+91\u{a0}98765\u{2011}43210\u{202c}", "IN")]
#[case::from_abroad("+91 98765 43210", "US")]
#[case::double_zero_from_abroad("0091 98765 43210", "GB")]
fn every_usual_spelling_is_the_same_number(#[case] raw: &str, #[case] region: &str) {
    let number = parse(raw, region).unwrap();
    assert_eq!(number.as_e164(), "+919876543210");
    assert_eq!(number.digits(), "919876543210");
}

#[rstest]
#[case("06301 234567", "IN", "+916301234567")]
#[case("07400 123456", "GB", "+447400123456")]
#[case("050 123 4567", "AE", "+971501234567")]
#[case("(520) 878-2491", "US", "+15208782491")]
#[case("+9779841234567", "IN", "+9779841234567")]
#[case("+8801712345678", "IN", "+8801712345678")]
#[case::begins_with_zero("+225 07 08 12 34 56", "IN", "+2250708123456")]
fn mobiles_of_other_plans_are_understood(
    #[case] raw: &str,
    #[case] region: &str,
    #[case] e164: &str,
) {
    assert_eq!(parse(raw, region).unwrap().as_e164(), e164);
}

#[rstest]
#[case::empty("", InvalidPhoneNumber::NotANumber)]
#[case::only_separators(" - ", InvalidPhoneNumber::NotANumber)]
#[case::only_plus("+", InvalidPhoneNumber::NotANumber)]
#[case::letters("98765abcde", InvalidPhoneNumber::NotANumber)]
#[case::two_numbers("9876543210, 9876543211", InvalidPhoneNumber::NotANumber)]
#[case::extension("9876543210 ext 5", InvalidPhoneNumber::NotANumber)]
#[case::plus_inside("98765+43210", InvalidPhoneNumber::NotANumber)]
#[case::one_digit_short("987654321", InvalidPhoneNumber::NotInPlan)]
#[case::one_digit_long("98765432101", InvalidPhoneNumber::NotInPlan)]
#[case::possible_but_not_in_the_plan("+910000000000", InvalidPhoneNumber::NotInPlan)]
#[case::no_such_country("+9991234567890", InvalidPhoneNumber::NotInPlan)]
#[case::very_long(
    "98765432109876543210987654321098765432109876543210",
    InvalidPhoneNumber::NotInPlan
)]
#[case::landline("011 2345 6789", InvalidPhoneNumber::NotMobile)]
#[case::toll_free("1800 123 4567", InvalidPhoneNumber::NotMobile)]
fn what_is_no_mobile_is_refused_with_what_to_do(
    #[case] raw: &str,
    #[case] reason: InvalidPhoneNumber,
) {
    let refused = PhoneNumber::parse(raw, Region::default()).unwrap_err();
    assert_eq!(refused, reason);
    assert!(
        ["send", "check"]
            .iter()
            .any(|verb| refused.to_string().contains(verb))
    );
}

#[rstest]
#[case("+919876543210", "+91•••••3210")]
#[case("+15208782491", "+15•••••2491")]
fn a_number_is_shown_masked(#[case] raw: &str, #[case] masked: &str) {
    let number = parse(raw, "IN").unwrap();
    assert_eq!(number.to_string(), masked);
    assert_eq!(format!("{number:?}"), masked);
    assert_eq!(format!("{:?}", Some(&number)), format!("Some({masked})"));
}

#[test]
fn the_providers_form_is_taken_at_its_word() {
    let from_provider = PhoneNumber::from_wa_id("919876543210").unwrap();
    assert_eq!(Ok(from_provider), parse("9876543210", "IN"));
    // Not in any plan we know, yet the provider knows it.
    assert!(PhoneNumber::from_wa_id("910000000000").is_ok());
}

#[rstest]
#[case("")]
#[case("123456")]
#[case("1234567890123456")]
#[case("US.13491208655302741918")]
#[case("9198765 43210")]
#[case("९१९८७६५४३२१०")]
fn a_wa_id_of_another_shape_is_refused(#[case] wa_id: &str) {
    assert!(PhoneNumber::from_wa_id(wa_id).is_err());
}

#[test]
fn a_region_is_two_letters_in_any_case() {
    assert_eq!("in".parse(), Ok(Region::default()));
    assert_eq!("gb".parse::<Region>().unwrap().to_string(), "GB");
    for unknown in ["", "IND", "91", "XX", "मा"] {
        assert_eq!(unknown.parse::<Region>(), Err(UnknownRegion));
    }
}

#[test]
fn warming_up_is_safe_at_any_time() {
    PhoneNumber::warm();
    PhoneNumber::warm();
    assert!(parse("9876543210", "IN").is_ok());
}
