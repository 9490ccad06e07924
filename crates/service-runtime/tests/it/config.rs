use std::{fs, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use service_runtime::{
    config::{
        AmqpConfig, AttachmentsConfig, ByteSize, HttpConfig, PostgresConfig, RuntimeConfig,
        Settings, Source, VaultConfig, reference,
    },
    settings,
};
use url::Url;

settings! {
    /// A section with every kind of setting.
    struct KitchenConfig in "kitchen" {
        /// Signs what leaves
        /// the kitchen.
        key: SecretString = required,
        /// Where guests are.
        hall: Url = "https://hall.example/",
        /// How long a dish may take.
        patience: Duration = "30s",
        /// The largest dish.
        plate: ByteSize = "10MiB",
        /// Cooks at work.
        cooks: u8 = 4,
        /// Whether there is a fire.
        fire: bool = true,
        /// Name of the chef.
        chef: Option<String> = optional,
    }
}

settings! {
    /// A service's configuration.
    struct Config {
        /// The record.
        postgres: PostgresConfig,
        kitchen: KitchenConfig,
        /// Under a name of its own.
        http: HttpConfig = "counter",
    }
}

const REQUIRED: [(&str, &str); 2] = [
    ("LABWIRE_POSTGRES__URL", "postgres://db/x"),
    ("LABWIRE_KITCHEN__KEY", "secret-key"),
];

#[test]
fn what_is_not_set_has_its_default() {
    let config = Config::from_source(&Source::from_pairs(REQUIRED)).unwrap();

    assert_eq!(config.postgres.url.expose_secret(), "postgres://db/x");
    assert_eq!(config.postgres.max_connections, 16);
    assert_eq!(config.kitchen.key.expose_secret(), "secret-key");
    assert_eq!(config.kitchen.hall.as_str(), "https://hall.example/");
    assert_eq!(config.kitchen.patience, Duration::from_secs(30));
    assert_eq!(config.kitchen.plate.bytes(), 10 * 1024 * 1024);
    assert_eq!(config.kitchen.cooks, 4);
    assert!(config.kitchen.fire);
    assert_eq!(config.kitchen.chef, None);
    assert_eq!(config.http.listen.port(), 8080);
}

#[test]
fn every_default_is_readable_by_its_own_type() {
    RuntimeConfig::from_source(&Source::default()).unwrap();
    AmqpConfig::from_source(&Source::default()).unwrap();
    HttpConfig::from_source(&Source::default()).unwrap();
    let storage = [("LABWIRE_ATTACHMENTS__URL", "file:///var/lib/labwire")];
    AttachmentsConfig::from_source(&Source::from_pairs(storage)).unwrap();
}

#[test]
fn all_faults_are_reported_at_once() {
    let source = Source::from_pairs([
        ("LABWIRE_POSTGRES__MAX_CONNECTIONS", "many"),
        ("LABWIRE_POSTGRES__ACQUIRE_TIMEOUT", "5 parsecs"),
        ("LABWIRE_KITCHEN__HALL", "https://admin:hunter2@:x/"),
        ("LABWIRE_KITCHEN__COOKS", "300"),
        ("LABWIRE_KITCHEN__PLATE", "big"),
        ("LABWIRE_KITCHEN__FIRE", "maybe"),
        ("LABWIRE_COUNTER__LISTEN", "localhost"),
    ]);

    let faults = Config::from_source(&source).unwrap_err();

    insta::assert_snapshot!(faults, @r"
    missing LABWIRE_POSTGRES__URL: Connection URL, such as `postgres://user:password@host/database`.
    LABWIRE_POSTGRES__MAX_CONNECTIONS: expected a whole number from 0, got `many` (from the environment)
    LABWIRE_POSTGRES__ACQUIRE_TIMEOUT: expected a duration like 30s, got `5 parsecs` (from the environment)
    missing LABWIRE_KITCHEN__KEY: Signs what leaves the kitchen.
    LABWIRE_KITCHEN__HALL: expected a URL like https://example.org/, got something else (from the environment)
    LABWIRE_KITCHEN__PLATE: expected a size like 10MiB, got `big` (from the environment)
    LABWIRE_KITCHEN__COOKS: expected a whole number from 0 to 255, got `300` (from the environment)
    LABWIRE_KITCHEN__FIRE: expected true or false, got `maybe` (from the environment)
    LABWIRE_COUNTER__LISTEN: expected an address like 127.0.0.1:8080, got `localhost` (from the environment)
    ");
}

#[test]
fn a_faulty_url_or_secret_is_never_quoted() {
    let source = Source::from_pairs(REQUIRED)
        .with_pairs([("LABWIRE_KITCHEN__HALL", "https://admin:hunter2@:x/")]);

    let faults = Config::from_source(&source).unwrap_err();

    assert!(faults.to_string().contains("LABWIRE_KITCHEN__HALL"));
    assert!(!faults.to_string().contains("hunter2"));
    assert!(!format!("{faults:?} {source:?}").contains("hunter2"));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let config = Config::from_source(&Source::from_pairs(REQUIRED)).unwrap();
    assert!(!format!("{config:?}").contains("secret-key"));
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("labwire.toml");
    fs::write(
        &file,
        "[kitchen]\nkey = \"k\"\ncooks = 7\nfire = false\npatience = \"1m\"\n",
    )
    .unwrap();

    let source = Source::from_env_and_file(Some(&file))
        .unwrap()
        .with_pairs([("LABWIRE_KITCHEN__COOKS", "9")]);
    let kitchen = KitchenConfig::from_source(&source).unwrap();

    assert_eq!((kitchen.cooks, kitchen.fire), (9, false));
    assert_eq!(kitchen.patience, Duration::from_mins(1));
}

#[test]
fn a_fault_names_the_file_it_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("labwire.toml");
    fs::write(&file, "[kitchen]\nkey = \"k\"\ncooks = -1\n").unwrap();

    let source = Source::from_env_and_file(Some(&file)).unwrap();
    let faults = KitchenConfig::from_source(&source).unwrap_err().to_string();

    assert!(faults.contains("got `-1`"), "{faults}");
    assert!(faults.contains("labwire.toml"), "{faults}");
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_quoting_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("labwire.toml");
    fs::write(&file, "[vault]\nindex_key = hunter2 hunter2\n").unwrap();

    let error = Source::from_env_and_file(Some(&file)).unwrap_err();

    assert!(error.to_string().contains("labwire.toml"), "{error}");
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[test]
fn an_empty_variable_is_not_set() {
    let source = Source::from_pairs(REQUIRED).with_pairs([("LABWIRE_KITCHEN__CHEF", "")]);
    assert_eq!(Config::from_source(&source).unwrap().kitchen.chef, None);
}

#[test]
fn a_slip_of_the_pen_is_told_with_what_was_meant() {
    let source = Source::from_pairs([
        ("LABWIRE_POSTGRES_URL", "postgres://db/x"),
        ("LABWIRE_KITCHEN__COKS", "9"),
        ("LABWIRE_GARDEN__TREES", "2"),
        // As Kubernetes sets for a service called labwire-api.
        ("LABWIRE_API_SERVICE_HOST", "10.0.0.1"),
        ("LABWIRE_KITCHEN__COOKS", "2"),
    ]);

    let unknown = source.unknown(&Config::describe());

    let lines: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    unknown setting LABWIRE_GARDEN__TREES (from the environment)
    unknown setting LABWIRE_KITCHEN__COKS (from the environment): did you mean LABWIRE_KITCHEN__COOKS?
    unknown setting LABWIRE_POSTGRES_URL (from the environment): did you mean LABWIRE_POSTGRES__URL?
    ");
}

#[test]
fn two_services_that_share_a_section_report_its_fault_once() {
    let mut faults = service_runtime::config::Faults::default();
    let source = Source::default();
    PostgresConfig::read(&source, &mut faults);
    PostgresConfig::read(&source, &mut faults);
    assert_eq!(faults.iter().count(), 1);
}

#[test]
fn settings_describe_themselves_as_a_reference_page() {
    let settings = [
        Config::describe(),
        VaultConfig::describe(),
        PostgresConfig::describe(),
    ];
    insta::assert_snapshot!(reference(&settings.concat()), @r"
    ## postgres

    | variable | type | default | meaning |
    |---|---|---|---|
    | `LABWIRE_POSTGRES__URL` | secret | **required** | Connection URL, such as `postgres://user:password@host/database`. |
    | `LABWIRE_POSTGRES__MAX_CONNECTIONS` | number | `16` | Connections that one process may hold. |
    | `LABWIRE_POSTGRES__ACQUIRE_TIMEOUT` | duration | `5s` | How long a request may wait for a connection. |

    ## kitchen

    | variable | type | default | meaning |
    |---|---|---|---|
    | `LABWIRE_KITCHEN__KEY` | secret | **required** | Signs what leaves the kitchen. |
    | `LABWIRE_KITCHEN__HALL` | URL | `https://hall.example/` | Where guests are. |
    | `LABWIRE_KITCHEN__PATIENCE` | duration | `30s` | How long a dish may take. |
    | `LABWIRE_KITCHEN__PLATE` | size | `10MiB` | The largest dish. |
    | `LABWIRE_KITCHEN__COOKS` | number | `4` | Cooks at work. |
    | `LABWIRE_KITCHEN__FIRE` | true or false | `true` | Whether there is a fire. |
    | `LABWIRE_KITCHEN__CHEF` | text | none | Name of the chef. |

    ## counter

    | variable | type | default | meaning |
    |---|---|---|---|
    | `LABWIRE_COUNTER__LISTEN` | address | `127.0.0.1:8080` | Address to listen on; port 0 takes a free one. |

    ## vault

    | variable | type | default | meaning |
    |---|---|---|---|
    | `LABWIRE_VAULT__MASTER_KEYS` | secret | **required** | Master keys as `id:base64`, separated by commas; the first one seals, all of them open. |
    | `LABWIRE_VAULT__INDEX_KEY` | secret | **required** | Key of the blind indexes, as base64. It cannot be rotated without building the indexes anew. |
    ");
}
