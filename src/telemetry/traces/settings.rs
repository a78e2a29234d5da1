//! Where spans go and which: the file's settings, over which the variables of OpenTelemetry win.
//!
//! What is wrong is told by the name of the key or of the variable, and nothing is quoted that may hold a password.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use url::Url;

use super::Captures;

/// How spans reach the collector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, protobuf bodies.
    HttpProtobuf,
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct Configured<'a> {
    /// `telemetry.serviceName`.
    pub service: &'a str,
    /// `telemetry.otlpEndpoint`.
    pub endpoint: Option<&'a str>,
    /// `telemetry.tracesOtlpEndpoint`.
    pub traces_endpoint: Option<&'a str>,
    /// `telemetry.otlpProtocol`.
    pub protocol: Protocol,
    /// `telemetry.sampleRatio`.
    pub sample_ratio: f64,
    /// What may stand in spans.
    pub captures: Captures,
    /// `info.environment`.
    pub environment: &'a str,
    /// The name of this replica.
    pub instance: &'a str,
}

/// What the exporter is built from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
    pub(super) sample_ratio: f64,
    pub(super) captures: Captures,
    resource: BTreeMap<String, String>,
}

/// Finds a variable by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The path of OTLP over HTTP below an endpoint for all signals.
const TRACES_PATH: &str = "/v1/traces";

impl Settings {
    /// The settings; `None` where there is no endpoint, or `OTEL_SDK_DISABLED` says so.
    ///
    /// # Errors
    ///
    /// In words that begin with the name of the key or variable.
    pub fn resolve(
        of: &Configured<'_>,
        environment: Environment<'_>,
    ) -> Result<Option<Self>, String> {
        let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        // Looked at in any case: a mistake should not wait for the day when an endpoint comes.
        let sample_ratio = ratio_of(of, &variable)?;
        let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            .map(|said| ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", said))
            .or_else(|| {
                variable("OTEL_EXPORTER_OTLP_PROTOCOL")
                    .map(|said| ("OTEL_EXPORTER_OTLP_PROTOCOL", said))
            });
        let protocol = match protocol {
            Some((name, said)) => protocol_of(&said).map_err(|why| format!("{name}: {why}"))?,
            None => of.protocol,
        };
        let Some(endpoint) = endpoint_of(of, protocol, &variable)? else { return Ok(None) };
        if variable("OTEL_SDK_DISABLED").is_some_and(|said| said.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let resource = resource(of, &variable);
        let captures = of.captures;
        Ok(Some(Self { endpoint, protocol, sample_ratio, captures, resource }))
    }

    pub(super) fn resource(&self) -> Vec<KeyValue> {
        let pairs = self.resource.iter();
        pairs.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect()
    }
}

/// What is wrong with the URL of a collector, if anything is.
///
/// # Errors
///
/// In words that do not quote it.
pub fn collector(text: &str, protocol: Protocol) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("this is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("this is no `http://` or `https://` URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a user or a password is not taken".to_owned());
    }
    if url.port() == Some(0) {
        return Err("port 0 cannot be connected to".to_owned());
    }
    if text.parse::<http::Uri>().is_err() {
        return Err("this is no URL that HTTP can carry".to_owned());
    }
    if protocol == Protocol::Grpc && url.scheme() == "https" {
        return Err("`https` goes with the protocol `http/protobuf` only".to_owned());
    }
    Ok(())
}

/// What is wrong with a share of traces, if anything is.
///
/// # Errors
///
/// In words.
pub fn share(ratio: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&ratio) {
        return Ok(ratio);
    }
    Err(format!("{ratio} is no share: 0 exports no trace, 1 exports all"))
}

fn ratio_of(of: &Configured<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Result<f64, String> {
    // What a client has decided stands with all of them: ours is always the parent-based kind.
    match variable("OTEL_TRACES_SAMPLER").as_deref().map(str::trim) {
        Some("always_on" | "parentbased_always_on") => return Ok(1.0),
        Some("always_off" | "parentbased_always_off") => return Ok(0.0),
        Some("traceidratio" | "parentbased_traceidratio") | None => {}
        Some(_) => {
            let known =
                "`always_on`, `always_off` or `traceidratio`, each also with `parentbased_`";
            return Err(format!("OTEL_TRACES_SAMPLER: write {known}"));
        }
    }
    let Some(said) = variable("OTEL_TRACES_SAMPLER_ARG") else {
        return share(of.sample_ratio).map_err(|why| format!("telemetry.sampleRatio: {why}"));
    };
    let ratio = said.trim().parse().map_err(|_| "this is no number".to_owned());
    ratio.and_then(share).map_err(|why| format!("OTEL_TRACES_SAMPLER_ARG: {why}"))
}

fn protocol_of(said: &str) -> Result<Protocol, String> {
    match said.trim() {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        _ => Err("`grpc` or `http/protobuf`".to_owned()),
    }
}

fn endpoint_of(
    of: &Configured<'_>,
    protocol: Protocol,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, String> {
    let text = |said: Option<&str>| said.map(str::to_owned).filter(|said| !said.is_empty());
    let candidates = [
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            false,
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", variable("OTEL_EXPORTER_OTLP_ENDPOINT"), true),
        ("telemetry.tracesOtlpEndpoint", text(of.traces_endpoint), false),
        ("telemetry.otlpEndpoint", text(of.endpoint), true),
    ];
    let named = candidates.into_iter().find_map(|(name, said, all)| Some((name, said?, all)));
    let Some((name, said, for_all)) = named else { return Ok(None) };
    let said = said.trim();
    collector(said, protocol).map_err(|why| format!("{name}: {why}"))?;
    if for_all && protocol == Protocol::HttpProtobuf {
        return Ok(Some(format!("{}{TRACES_PATH}", said.trim_end_matches('/'))));
    }
    Ok(Some(said.to_owned()))
}

fn resource(
    of: &Configured<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let ours = [
        ("service.name", of.service),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", of.instance),
        ("deployment.environment.name", of.environment),
        ("host.name", of.instance),
    ];
    let mut all: BTreeMap<String, String> =
        ours.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let said = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let pairs = said.split(',').filter_map(|pair| pair.split_once('='));
    all.extend(pairs.map(|(key, value)| (key.trim().to_owned(), decoded(value.trim()))));
    if let Some(name) = variable("OTEL_SERVICE_NAME") {
        all.insert("service.name".to_owned(), name);
    }
    all
}

/// `%2C` for what may not stand there as it is.
fn decoded(value: &str) -> String {
    let kept = value.replace('+', "%2B");
    let pair = format!("v={kept}");
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map_or_else(|| value.to_owned(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Configured<'static> {
        Configured {
            service: "sluice",
            endpoint: None,
            traces_endpoint: None,
            protocol: Protocol::Grpc,
            sample_ratio: 0.1,
            captures: Captures::default(),
            environment: "production",
            instance: "gw-0",
        }
    }

    fn resolve(
        file: &Configured<'_>,
        variables: &[(&str, &str)],
    ) -> Result<Option<Settings>, String> {
        let find = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::resolve(file, &find)
    }

    #[test]
    fn obs_t5_without_an_endpoint_there_is_nothing_to_build() {
        assert_eq!(resolve(&file(), &[]), Ok(None));
        assert_eq!(resolve(&file(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(None), "empty");
        let file = Configured { endpoint: Some("http://c:4317"), ..file() };
        assert_eq!(resolve(&file, &[("OTEL_SDK_DISABLED", "true")]), Ok(None));
    }

    #[test]
    fn the_most_special_endpoint_wins_and_the_environment_over_the_file() {
        let all = Configured { endpoint: Some("http://all:4317"), ..file() };
        let traces = Configured { traces_endpoint: Some("http://traces:4317"), ..all.clone() };
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:4317");
        let special = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://special:4317/x");
        for (file, variables, endpoint) in [
            (&all, vec![], "http://all:4317"),
            (&traces, vec![], "http://traces:4317"),
            (&traces, vec![general], "http://env:4317"),
            (&traces, vec![general, special], "http://special:4317/x"),
        ] {
            let settings = resolve(file, &variables).unwrap().unwrap();
            assert_eq!((settings.endpoint.as_str(), settings.protocol), (endpoint, Protocol::Grpc));
        }
        let http = [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), general];
        assert_eq!(resolve(&all, &http).unwrap().unwrap().endpoint, "http://env:4317/v1/traces");
        let http = [("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"), special];
        assert_eq!(resolve(&all, &http).unwrap().unwrap().endpoint, "http://special:4317/x");
    }

    #[test]
    fn the_samplers_of_the_environment_are_shares() {
        let file = Configured { endpoint: Some("http://c:4317"), ..file() };
        for (sampler, argument, share) in [
            ("always_on", "0.5", 1.0),
            ("parentbased_always_off", "a lot", 0.0),
            ("traceidratio", "0.25", 0.25),
            ("parentbased_traceidratio", "", 0.1),
            ("", "0.25", 0.25),
        ] {
            let variables =
                [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)];
            let settings = resolve(&file, &variables).unwrap().unwrap();
            assert!((settings.sample_ratio - share).abs() < 1e-9, "{sampler} {argument}");
        }
    }

    #[test]
    fn obs_t4_t5_a_mistake_is_told_by_the_name_of_its_key() {
        let wrong = |endpoint| Configured { endpoint: Some(endpoint), ..file() };
        for url in [
            "collector:4317",
            "ftp://c",
            "http://",
            "http://a b",
            "http://u:secret@c",
            "http://c:0",
        ] {
            let why = resolve(&wrong(url), &[]).unwrap_err();
            assert!(
                why.starts_with("telemetry.otlpEndpoint: ") && !why.contains("secret"),
                "{why}"
            );
        }
        let why = resolve(&wrong("https://c:4317"), &[]).unwrap_err();
        assert!(why.contains("http/protobuf"), "{why}");
        for ratio in [2.0, -0.1, f64::NAN, f64::INFINITY] {
            let why = resolve(&Configured { sample_ratio: ratio, ..file() }, &[]).unwrap_err();
            assert!(why.starts_with("telemetry.sampleRatio: "), "{why}");
        }
        for (name, value) in [
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_TRACES_SAMPLER_ARG", "a lot"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"),
        ] {
            let why = resolve(&file(), &[(name, value)]).unwrap_err();
            assert!(why.starts_with(name), "{why}");
        }
    }

    #[test]
    fn the_resource_says_who_speaks() {
        let file = Configured { endpoint: Some("http://c:4317"), ..file() };
        let attributes = "k8s.pod.name=gw-0,service.name=other,host.name=a%2Cb,broken";
        let said = [("OTEL_RESOURCE_ATTRIBUTES", attributes)];
        let settings = resolve(&file, &said).unwrap().unwrap();
        let of = |key: &str| settings.resource.get(key).map(String::as_str);
        assert_eq!(of("k8s.pod.name"), Some("gw-0"));
        assert_eq!((of("service.name"), of("host.name")), (Some("other"), Some("a,b")));
        assert_eq!(of("deployment.environment.name"), Some("production"));
        assert_eq!(of("service.version"), Some(env!("CARGO_PKG_VERSION")));
        let named = [said[0], ("OTEL_SERVICE_NAME", "named")];
        let settings = resolve(&file, &named).unwrap().unwrap();
        assert_eq!(settings.resource.get("service.name").map(String::as_str), Some("named"));
    }
}
