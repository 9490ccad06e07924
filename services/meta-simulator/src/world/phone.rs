/// Calling codes of two digits; +1 and +7 have one, all others have three.
const TWO_DIGIT_CODES: &[u8] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56,
    57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// The country calling code that `digits` begin with.
pub(crate) fn calling_code(digits: &str) -> &str {
    let two = digits.get(..2).and_then(|code| code.parse::<u8>().ok());
    let length = match digits.as_bytes().first() {
        Some(b'1' | b'7') => 1,
        _ if two.is_some_and(|code| TWO_DIGIT_CODES.contains(&code)) => 2,
        _ => 3,
    };
    digits.get(..length).unwrap_or(digits)
}

/// The WhatsApp id that Meta makes of `to`; none if it cannot be a phone number.
/// Without a `+` the number is taken as national: the business's own country code is put before it.
pub(crate) fn whatsapp_id(to: &str, business_code: &str) -> Option<String> {
    let trimmed = to.trim();
    let written_well = trimmed.chars().enumerate().all(|(index, char)| {
        char.is_ascii_digit()
            || matches!(char, '-' | '(' | ')' | ' ')
            || (char == '+' && index == 0)
    });
    let number = digits(trimmed);
    let number = if trimmed.starts_with('+') {
        number
    } else {
        format!("{business_code}{number}")
    };
    (written_well && (7..=15).contains(&number.len())).then(|| canonical(&number))
}

/// The digits under which WhatsApp knows a phone: Brazil loses, Mexico gains a digit after the country code.
pub(crate) fn canonical(phone: &str) -> String {
    let number = digits(phone);
    if let Some(national) = number
        .strip_prefix("55")
        .filter(|national| national.len() == 11)
        && let (Some(area), Some(local)) = (national.get(..2), national.get(2..))
        && let Some(local) = local.strip_prefix('9')
        && area >= "31"
    {
        return format!("55{area}{local}");
    }
    match number
        .strip_prefix("52")
        .filter(|national| national.len() == 10)
    {
        Some(national) => format!("521{national}"),
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plus_is_taken_as_it_is("+16505551234", "91", Some("16505551234"))]
    #[case::punctuation_is_dropped("+91 (98) 765-43210", "1", Some("919876543210"))]
    #[case::without_plus_the_country_is_prepended("9876543210", "91", Some("919876543210"))]
    #[case::even_if_it_was_there("919876543210", "91", Some("91919876543210"))]
    #[case::brazil_loses_its_ninth_digit("+5541987654321", "1", Some("554187654321"))]
    #[case::sao_paulo_keeps_it("+5511987654321", "1", Some("5511987654321"))]
    #[case::mexico_gains_a_one("+525512345678", "1", Some("5215512345678"))]
    #[case::letters_are_no_phone("+91abc", "91", None)]
    #[case::too_short("+911", "91", None)]
    #[case::too_long("+9198765432101234", "91", None)]
    fn a_whatsapp_id_is_made_of(
        #[case] to: &str,
        #[case] code: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(whatsapp_id(to, code).as_deref(), expected);
    }

    #[rstest]
    #[case("16505551234", "1")]
    #[case("919876543210", "91")]
    #[case("971501234567", "971")]
    fn a_calling_code_is_found(#[case] digits: &str, #[case] code: &str) {
        assert_eq!(calling_code(digits), code);
    }
}
