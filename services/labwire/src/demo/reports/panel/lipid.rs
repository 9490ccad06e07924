use crate::demo::reports::{
    dice::Dice,
    words::{Words, words},
};

use super::{
    Band, Findings, Guide, Patient, Section, Tone,
    measurement::{
        ALL_NORMAL, Analyte,
        Reference::{Above, Below},
    },
};

const TOTAL: Analyte = Analyte::new(
    words("Total cholesterol", "कुल कोलेस्ट्रॉल"),
    "Cholesterol oxidase",
    "mg/dL",
    0,
)
.normally(Below(200.0));
const TRIGLYCERIDES: Analyte = Analyte::new(
    words("Triglycerides", "ट्राइग्लिसराइड"),
    "Enzymatic, GPO",
    "mg/dL",
    0,
)
.normally(Below(150.0));
const HDL: Analyte = Analyte::new(
    words("HDL cholesterol", "एचडीएल कोलेस्ट्रॉल"),
    "Direct, enzymatic",
    "mg/dL",
    0,
)
.by_sex(Above(50.0), Above(40.0));
const LDL: Analyte = Analyte::new(
    words("LDL cholesterol", "एलडीएल कोलेस्ट्रॉल"),
    "Calculated, Friedewald",
    "mg/dL",
    0,
)
.normally(Below(100.0));
const VLDL: Analyte = Analyte::new(
    words("VLDL cholesterol", "वीएलडीएल कोलेस्ट्रॉल"),
    "Calculated",
    "mg/dL",
    0,
)
.normally(Below(30.0));
const NON_HDL: Analyte = Analyte::new(
    words("Non-HDL cholesterol", "गैर-एचडीएल कोलेस्ट्रॉल"),
    "Calculated",
    "mg/dL",
    0,
)
.normally(Below(130.0));
const TOTAL_TO_HDL: Analyte = Analyte::new(
    words("Total / HDL ratio", "कुल / एचडीएल अनुपात"),
    "Calculated",
    "",
    1,
)
.normally(Below(4.5));
const LDL_TO_HDL: Analyte = Analyte::new(
    words("LDL / HDL ratio", "एलडीएल / एचडीएल अनुपात"),
    "Calculated",
    "",
    1,
)
.normally(Below(3.5));

const LDL_SCALE: [Band; 4] = [
    Band {
        limit: 100.0,
        label: words("Optimal", "उत्तम"),
        range: "< 100",
        tone: Tone::Good,
    },
    Band {
        limit: 130.0,
        label: words("Near optimal", "लगभग उत्तम"),
        range: "100 – 129",
        tone: Tone::Good,
    },
    Band {
        limit: 160.0,
        label: words("Borderline high", "सीमांत अधिक"),
        range: "130 – 159",
        tone: Tone::Watch,
    },
    Band {
        limit: f32::INFINITY,
        label: words("High", "अधिक"),
        range: "160 +",
        tone: Tone::Alert,
    },
];

const RAISED: Words = words(
    "LDL cholesterol is above the desirable level. A diet low in saturated fat and regular exercise are advised; repeat after 12 weeks.",
    "एलडीएल कोलेस्ट्रॉल वांछित स्तर से अधिक है। कम संतृप्त वसा वाला आहार और नियमित व्यायाम करें; 12 सप्ताह बाद पुनः जाँच कराएँ।",
);
const MIXED: Words = words(
    "Mixed dyslipidaemia with raised triglycerides. Assessment of cardiovascular risk by the treating doctor is advised.",
    "ट्राइग्लिसराइड एवं कोलेस्ट्रॉल दोनों बढ़े हुए हैं। हृदय रोग के जोखिम का मूल्यांकन अपने चिकित्सक से कराएँ।",
);

pub(super) fn findings(patient: Patient, dice: &mut Dice) -> Findings {
    let (ldl, triglycerides, hdl, remark) = match dice.below(4) {
        0 | 1 => ((68.0, 97.0), (75.0, 138.0), (52.0, 64.0), ALL_NORMAL),
        2 => ((124.0, 176.0), (100.0, 146.0), (42.0, 56.0), RAISED),
        _ => ((118.0, 168.0), (188.0, 296.0), (31.0, 39.0), MIXED),
    };
    let (ldl, hdl) = (dice.around(ldl).round(), dice.around(hdl).round());
    let triglycerides = dice.around(triglycerides).round();
    let vldl = (triglycerides / 5.0).round();
    let total = ldl + hdl + vldl;
    let rows = vec![
        TOTAL.measured(patient, total),
        TRIGLYCERIDES.measured(patient, triglycerides),
        HDL.measured(patient, hdl),
        LDL.measured(patient, ldl),
        VLDL.measured(patient, vldl),
        NON_HDL.measured(patient, total - hdl),
        TOTAL_TO_HDL.measured(patient, total / hdl),
        LDL_TO_HDL.measured(patient, ldl / hdl),
    ];
    Findings {
        sections: vec![Section {
            title: words("Lipids", "लिपिड"),
            rows,
        }],
        guides: vec![Guide {
            title: words("LDL cholesterol, mg/dL", "एलडीएल कोलेस्ट्रॉल, mg/dL"),
            bands: &LDL_SCALE,
            value: ldl,
        }],
        remarks: vec![remark],
    }
}
