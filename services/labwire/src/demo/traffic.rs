use std::thread::available_parallelism;

use anyhow::{Context as _, ensure};
use chrono::NaiveDate;
use domain::{Clock as _, SystemClock};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::{
    api::{Answer, Report},
    cast::{Fate, Patient, tag},
    reports::{Language, ReportSpec, sample_report},
    screen::Screen,
    stage::{Stage, Tenant},
};

/// Requests that the labs' systems have under way together.
const POSTS_AT_ONCE: usize = 12;

/// A report that a lab is about to post.
pub(super) struct Parcel {
    /// The lab's place among the tenants.
    pub(super) lab: usize,
    pub(super) patient: Patient,
    pub(super) sha256: [u8; 32],
    report: Report,
    /// The LIMS posts it a second time at the same moment, as after a lost answer.
    twice: bool,
}

impl Parcel {
    pub(super) fn pdf(&self) -> &[u8] {
        &self.report.pdf
    }
}

/// A parcel that was posted, and what the API said.
pub(super) struct Posted {
    pub(super) parcel: Parcel,
    pub(super) answer: Answer,
    /// The second post of the same report named another message, or none.
    pub(super) was_doubled: bool,
}

impl Posted {
    /// The message, if the report was accepted.
    pub(super) fn message_id(&self) -> Option<&str> {
        match &self.answer {
            Answer::Accepted { message_id, .. } => Some(message_id),
            Answer::Refused { .. } => None,
        }
    }
}

/// Makes all the reports, on as many threads as there are.
pub(super) async fn prepare(labs: &[Tenant], screen: &mut Screen) -> anyhow::Result<Vec<Parcel>> {
    let threads = available_parallelism().map_or(2, usize::from);
    let today = SystemClock.now().date_naive();
    let mut queue: Vec<(usize, &Tenant, Patient)> = labs
        .iter()
        .enumerate()
        .flat_map(|(place, tenant)| {
            let patients = tenant.lab.patients().into_iter();
            patients.map(move |patient| (place, tenant, patient))
        })
        .collect();
    // The labs take turns.
    queue.sort_by_key(|(place, _, patient)| (patient.index, *place));
    let total = queue.len();
    let mut made = stream::iter(queue)
        .map(|(place, tenant, patient)| async move {
            let spec = spec(tenant, &patient, today);
            let pdf = tokio::task::spawn_blocking(move || sample_report(&spec)).await?;
            anyhow::Ok(parcel(place, tenant, patient, (pdf, today)))
        })
        .buffered(threads);
    let mut parcels = Vec::with_capacity(total);
    while let Some(parcel) = made.try_next().await? {
        parcels.push(parcel);
        screen.progress(&format!("{} of {total} reports are printed", parcels.len()));
    }
    screen.step(&format!("{total} reports are printed, each its own PDF"));
    Ok(parcels)
}

fn spec(tenant: &Tenant, patient: &Patient, today: NaiveDate) -> ReportSpec {
    let lab = tenant.lab;
    ReportSpec {
        lab_name: lab.name.to_owned(),
        lab_tagline: lab.tagline.to_owned(),
        patient_name: patient.name(),
        age: patient.person.age,
        sex: patient.person.sex,
        test: patient.panel,
        doctor_name: patient.doctor.name_as_doctor(patient.language),
        report_date: today,
        sample_id: sample_id(tenant, patient),
        language: patient.language,
        seed: patient.index as u64,
    }
}

fn sample_id(tenant: &Tenant, patient: &Patient) -> String {
    format!("{}-{:04}", tenant.lab.slug, 100 + patient.index).to_uppercase()
}

fn parcel(
    lab: usize,
    tenant: &Tenant,
    patient: Patient,
    (pdf, today): (Vec<u8>, NaiveDate),
) -> Parcel {
    let sample = sample_id(tenant, &patient);
    let language: Language = patient.language;
    let fields = vec![
        ("patient_phone", patient.written_phone()),
        ("patient_name", patient.name()),
        ("test_name", patient.panel.name(language).to_owned()),
        ("doctor_name", patient.doctor.name_as_doctor(language)),
        ("report_date", today.to_string()),
        ("language", tag(language).to_owned()),
    ];
    Parcel {
        lab,
        sha256: Sha256::digest(&pdf).into(),
        report: Report {
            fields,
            filename: format!("{sample}.pdf"),
            pdf: pdf.into(),
            idempotency_key: format!("report-{sample}"),
            as_form: patient.index % 2 == 1,
        },
        twice: patient.index % 5 == 3,
        patient,
    }
}

/// Posts everything, many at a time.
pub(super) async fn post(
    stage: &Stage,
    parcels: Vec<Parcel>,
    screen: &mut Screen,
) -> anyhow::Result<Vec<Posted>> {
    let total = parcels.len();
    let mut answers = stream::iter(parcels)
        .map(|parcel| post_one(stage, parcel))
        .buffer_unordered(POSTS_AT_ONCE);
    let mut posted: Vec<Posted> = Vec::with_capacity(total);
    while let Some(one) = answers.try_next().await? {
        posted.push(one);
        screen.progress(&format!("{} of {total} reports are posted", posted.len()));
    }
    let accepted = posted.iter().filter(|it| it.message_id().is_some()).count();
    let twice = posted.iter().filter(|it| it.parcel.twice).count();
    screen.step(&format!(
        "{total} reports are posted, {twice} of them twice: {accepted} accepted, {} refused",
        total - accepted
    ));
    Ok(posted)
}

async fn post_one(stage: &Stage, parcel: Parcel) -> anyhow::Result<Posted> {
    let tenant = stage.labs.get(parcel.lab).context("no such lab")?;
    let send = || stage.api.send(&tenant.key, &parcel.report);
    let (answer, was_doubled) = if parcel.twice {
        let (one, other) = tokio::try_join!(send(), send())?;
        let was_doubled = !is_one_message(&one, &other);
        (one, was_doubled)
    } else {
        (send().await?, false)
    };
    if let Answer::Refused { status, code } = &answer {
        let expected = parcel.patient.fate == Fate::Refused;
        let is_right = *status == 422 && code == "INVALID_PHONE_NUMBER";
        ensure!(
            expected && is_right,
            "a report was refused with {status} {code}"
        );
    }
    Ok(Posted {
        parcel,
        answer,
        was_doubled,
    })
}

/// Two posts with one key: the same message, new to one of them.
fn is_one_message(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (
            Answer::Accepted {
                message_id,
                replayed,
            },
            Answer::Accepted {
                message_id: other_id,
                replayed: other_replayed,
            },
        ) => message_id == other_id && replayed != other_replayed,
        _ => one == other,
    }
}
