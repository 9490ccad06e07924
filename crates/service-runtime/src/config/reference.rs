use std::fmt::Write as _;

use super::{Setting, SettingDefault};

/// The settings as Markdown: a heading and a table for each section.
pub fn reference(settings: &[Setting]) -> String {
    let mut page = String::new();
    let mut sections: Vec<&str> = Vec::new();
    for setting in settings {
        if !sections.contains(&setting.section.as_str()) {
            sections.push(&setting.section);
        }
    }
    for section in sections {
        let _infallible = write_section(&mut page, section, settings);
    }
    page
}

fn write_section(page: &mut String, section: &str, settings: &[Setting]) -> std::fmt::Result {
    let separator = if page.is_empty() { "" } else { "\n" };
    writeln!(page, "{separator}## {section}\n")?;
    writeln!(
        page,
        "| variable | type | default | meaning |\n|---|---|---|---|"
    )?;
    let mut seen: Vec<&str> = Vec::new();
    for setting in settings.iter().filter(|setting| setting.section == section) {
        // Services share sections; a page about several services names each setting once.
        if seen.contains(&setting.field) {
            continue;
        }
        seen.push(setting.field);
        let default = match setting.default {
            SettingDefault::Required => "**required**".to_owned(),
            SettingDefault::Optional => "none".to_owned(),
            SettingDefault::Value(value) => format!("`{value}`"),
        };
        let doc = setting.doc.trim();
        writeln!(
            page,
            "| `{}` | {} | {default} | {doc} |",
            setting.env(),
            setting.kind
        )?;
    }
    Ok(())
}
