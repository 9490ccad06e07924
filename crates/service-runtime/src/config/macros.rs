/// Declares configuration. Two forms.
///
/// A section of settings. Each has a doc comment and, as its default, a literal written as in the environment,
/// `required`, or `optional` (for `Option<T>`):
///
/// ```
/// use std::time::Duration;
/// use secrecy::SecretString;
///
/// service_runtime::settings! {
///     /// How callbacks are delivered.
///     pub struct CallbackConfig in "callback" {
///         /// Key that signs callbacks.
///         signing_key: SecretString = required,
///         /// How long an endpoint may take.
///         timeout: Duration = "10s",
///         /// Deliveries in flight.
///         concurrency: u32 = 32,
///         /// Proxy for outgoing requests.
///         proxy: Option<url::Url> = optional,
///     }
/// }
///
/// service_runtime::settings! {
///     /// Everything this service is told.
///     pub struct Config {
///         /// The record.
///         postgres: service_runtime::config::PostgresConfig,
///         callback: CallbackConfig,
///         /// A section under a name of its own.
///         http: service_runtime::config::HttpConfig = "api",
///     }
/// }
/// ```
///
/// The second form, a struct of sections, may also nest other structs of sections.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident in $section:literal {
            $( $(#[doc = $doc:literal])+ $field:ident : $kind:ty = $default:tt ),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $field: $kind, )+
        }

        impl $crate::config::Section for $name {
            const NAME: &'static str = $section;

            fn read_at(
                section: &str,
                source: &$crate::config::Source,
                faults: &mut $crate::config::Faults,
            ) -> ::core::option::Option<Self> {
                // Every field is read before the first is asked for, so that one run reports all faults.
                $( let $field = source.read::<$kind>(
                    &$crate::__setting!(section, $field, $kind, $default, $($doc)+),
                    faults,
                ); )+
                ::core::option::Option::Some(Self { $( $field: $field?, )+ })
            }

            fn describe_at(section: &str) -> ::std::vec::Vec<$crate::config::Setting> {
                ::std::vec![ $( $crate::__setting!(section, $field, $kind, $default, $($doc)+), )+ ]
            }
        }
    };
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $field:ident : $kind:ty $(= $section:literal)? ),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub $field: $kind, )+
        }

        impl $crate::config::Settings for $name {
            fn read(
                source: &$crate::config::Source,
                faults: &mut $crate::config::Faults,
            ) -> ::core::option::Option<Self> {
                $( let $field = $crate::__read!($kind, source, faults $(, $section)?); )+
                ::core::option::Option::Some(Self { $( $field: $field?, )+ })
            }

            fn describe() -> ::std::vec::Vec<$crate::config::Setting> {
                [ $( $crate::__describe!($kind $(, $section)?), )+ ].concat()
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __setting {
    ($section:expr, $field:ident, $kind:ty, $default:tt, $($doc:literal)+) => {
        $crate::config::Setting {
            section: $section.to_owned(),
            field: stringify!($field),
            kind: <$kind as $crate::config::ConfigValue>::KIND,
            default: $crate::__default!($default),
            doc: concat!($($doc),+),
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    (required) => {
        $crate::config::SettingDefault::Required
    };
    (optional) => {
        $crate::config::SettingDefault::Optional
    };
    ($value:literal) => {
        $crate::config::SettingDefault::Value(concat!($value))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __read {
    ($kind:ty, $source:expr, $faults:expr) => {
        <$kind as $crate::config::Settings>::read($source, $faults)
    };
    ($kind:ty, $source:expr, $faults:expr, $section:literal) => {
        <$kind as $crate::config::Section>::read_at($section, $source, $faults)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($kind:ty) => {
        <$kind as $crate::config::Settings>::describe()
    };
    ($kind:ty, $section:literal) => {
        <$kind as $crate::config::Section>::describe_at($section)
    };
}
