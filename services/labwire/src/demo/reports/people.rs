use super::{
    Language, Sex,
    dice::Dice,
    words::{Words, words},
};

/// Fictional people: the same seed gives the same people in the same order, without end.
pub fn people(seed: u64) -> People {
    People {
        dice: Dice::new(seed, "people"),
    }
}

/// See [`people`].
pub struct People {
    dice: Dice,
}

/// A fictional adult with a name in both scripts.
#[derive(Clone, Copy)]
pub struct Person {
    given: Words,
    family: Words,
    pub sex: Sex,
    pub age: u8,
}

impl Person {
    pub fn name(&self, language: Language) -> String {
        format!("{} {}", self.given.to(language), self.family.to(language))
    }

    pub fn name_as_doctor(&self, language: Language) -> String {
        let title = words("Dr.", "डॉ.").to(language);
        format!("{title} {}", self.name(language))
    }
}

impl Iterator for People {
    type Item = Person;

    fn next(&mut self) -> Option<Person> {
        let dice = &mut self.dice;
        let community = dice.pick(&COMMUNITIES);
        let sex = *dice.pick(&[Sex::Female, Sex::Male]);
        let given = match sex {
            Sex::Female => &community.women,
            Sex::Male => &community.men,
        };
        Some(Person {
            given: *dice.pick(given),
            family: *dice.pick(&community.families),
            sex,
            age: u8::try_from(19 + dice.below(62)).unwrap_or(u8::MAX),
        })
    }
}

/// Names that go together.
struct Community {
    women: [Words; 6],
    men: [Words; 6],
    families: [Words; 6],
}

const COMMUNITIES: [Community; 7] = [
    Community {
        women: [
            words("Anjali", "अंजलि"),
            words("Kavita", "कविता"),
            words("Shruti", "श्रुति"),
            words("Priyanka", "प्रियंका"),
            words("Sunita", "सुनीता"),
            words("Jyotsna", "ज्योत्स्ना"),
        ],
        men: [
            words("Rajesh", "राजेश"),
            words("Krishna", "कृष्ण"),
            words("Dharmendra", "धर्मेंद्र"),
            words("Saurabh", "सौरभ"),
            words("Vikram", "विक्रम"),
            words("Amit", "अमित"),
        ],
        families: [
            words("Sharma", "शर्मा"),
            words("Verma", "वर्मा"),
            words("Mishra", "मिश्रा"),
            words("Yadav", "यादव"),
            words("Gupta", "गुप्ता"),
            words("Chaturvedi", "चतुर्वेदी"),
        ],
    },
    Community {
        women: [
            words("Lakshmi", "लक्ष्मी"),
            words("Meenakshi", "मीनाक्षी"),
            words("Divya", "दिव्या"),
            words("Revathi", "रेवती"),
            words("Sudha", "सुधा"),
            words("Padmaja", "पद्मजा"),
        ],
        men: [
            words("Karthik", "कार्तिक"),
            words("Venkatesh", "वेंकटेश"),
            words("Suresh", "सुरेश"),
            words("Raghavan", "राघवन"),
            words("Murali", "मुरली"),
            words("Srinivas", "श्रीनिवास"),
        ],
        families: [
            words("Iyer", "अय्यर"),
            words("Nair", "नायर"),
            words("Reddy", "रेड्डी"),
            words("Menon", "मेनन"),
            words("Gowda", "गौड़ा"),
            words("Subramaniam", "सुब्रमण्यम"),
        ],
    },
    Community {
        women: [
            words("Ashwini", "अश्विनी"),
            words("Smita", "स्मिता"),
            words("Bhavna", "भावना"),
            words("Hetal", "हेतल"),
            words("Vaishali", "वैशाली"),
            words("Nandini", "नंदिनी"),
        ],
        men: [
            words("Nilesh", "नीलेश"),
            words("Prashant", "प्रशांत"),
            words("Jignesh", "जिग्नेश"),
            words("Mandar", "मंदार"),
            words("Hardik", "हार्दिक"),
            words("Sachin", "सचिन"),
        ],
        families: [
            words("Kulkarni", "कुलकर्णी"),
            words("Deshpande", "देशपांडे"),
            words("Patel", "पटेल"),
            words("Joshi", "जोशी"),
            words("Shah", "शाह"),
            words("Bhosale", "भोसले"),
        ],
    },
    Community {
        women: [
            words("Ananya", "अनन्या"),
            words("Moumita", "मौमिता"),
            words("Sharmistha", "शर्मिष्ठा"),
            words("Paramita", "पारमिता"),
            words("Rituparna", "ऋतुपर्णा"),
            words("Barnali", "बर्नाली"),
        ],
        men: [
            words("Subhash", "सुभाष"),
            words("Arnab", "अर्णब"),
            words("Debashish", "देबाशीष"),
            words("Sourav", "सौरव"),
            words("Prosenjit", "प्रोसेनजीत"),
            words("Indrajit", "इंद्रजीत"),
        ],
        families: [
            words("Banerjee", "बनर्जी"),
            words("Chatterjee", "चटर्जी"),
            words("Das", "दास"),
            words("Mukherjee", "मुखर्जी"),
            words("Bora", "बोरा"),
            words("Mohanty", "महांति"),
        ],
    },
    Community {
        women: [
            words("Ayesha", "आयशा"),
            words("Fatima", "फ़ातिमा"),
            words("Nasreen", "नसरीन"),
            words("Zainab", "ज़ैनब"),
            words("Rukhsana", "रुख़साना"),
            words("Sana", "सना"),
        ],
        men: [
            words("Imran", "इमरान"),
            words("Mohammed", "मोहम्मद"),
            words("Salim", "सलीम"),
            words("Arshad", "अरशद"),
            words("Farhan", "फ़रहान"),
            words("Iqbal", "इक़बाल"),
        ],
        families: [
            words("Khan", "ख़ान"),
            words("Ansari", "अंसारी"),
            words("Qureshi", "क़ुरैशी"),
            words("Siddiqui", "सिद्दीक़ी"),
            words("Sheikh", "शेख़"),
            words("Pathan", "पठान"),
        ],
    },
    Community {
        women: [
            words("Harpreet", "हरप्रीत"),
            words("Gurleen", "गुरलीन"),
            words("Manjit", "मंजीत"),
            words("Simran", "सिमरन"),
            words("Jasleen", "जसलीन"),
            words("Navneet", "नवनीत"),
        ],
        men: [
            words("Gurpreet", "गुरप्रीत"),
            words("Jaswinder", "जसविंदर"),
            words("Balbir", "बलबीर"),
            words("Amarjeet", "अमरजीत"),
            words("Harjinder", "हरजिंदर"),
            words("Kulwant", "कुलवंत"),
        ],
        families: [
            words("Gill", "गिल"),
            words("Sandhu", "संधू"),
            words("Dhillon", "ढिल्लों"),
            words("Bedi", "बेदी"),
            words("Sidhu", "सिद्धू"),
            words("Grewal", "ग्रेवाल"),
        ],
    },
    Community {
        women: [
            words("Maria", "मारिया"),
            words("Christina", "क्रिस्टीना"),
            words("Annamma", "अन्नम्मा"),
            words("Teresa", "टेरेसा"),
            words("Philomena", "फ़िलोमिना"),
            words("Sheela", "शीला"),
        ],
        men: [
            words("Joseph", "जोसेफ़"),
            words("Anthony", "एंथनी"),
            words("George", "जॉर्ज"),
            words("Francis", "फ़्रांसिस"),
            words("Melwyn", "मेल्विन"),
            words("Thomas", "थॉमस"),
        ],
        families: [
            words("Fernandes", "फ़र्नांडिस"),
            words("D'Souza", "डिसूज़ा"),
            words("Kurian", "कुरियन"),
            words("Pereira", "परेरा"),
            words("Varghese", "वर्गीस"),
            words("Lobo", "लोबो"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_and_another_seed_others() {
        let names = |seed| {
            people(seed)
                .take(20)
                .map(|person| person.name(Language::English))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
    }

    #[test]
    fn people_are_adults_of_many_names_in_both_scripts() {
        let crowd: Vec<_> = people(1).take(200).collect();
        let names: HashSet<_> = crowd
            .iter()
            .map(|person| person.name(Language::English))
            .collect();
        assert!(names.len() > 120, "{} names among 200 people", names.len());
        for person in crowd {
            assert!((19..=80).contains(&person.age));
            assert!(person.name(Language::English).is_ascii());
            let hindi = person.name(Language::Hindi);
            assert!(
                hindi
                    .chars()
                    .all(|c| c == ' ' || ('\u{900}'..='\u{97f}').contains(&c)),
                "{hindi}"
            );
        }
    }
}
