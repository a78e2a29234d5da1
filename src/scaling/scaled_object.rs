//! `sluice keda`: writes the ScaledObject by which KEDA scales the workers of a routing group.
//!
//! It is made from the configuration that the gateway runs, so that names, ports and TLS are those of the gateway. Sizes
//! are a first guess for people to change. It talks to nobody.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use super::asked::USUAL_TARGET;
use crate::config::{
    self,
    groups::labels,
    model::{Config, RoutingGroup, ScalerTls},
    nearest::hint,
};

/// KEDA writes the name of a ScaledObject into a label, and a namespace is one: neither may be longer.
const LONGEST: usize = 63;

/// What YAML 1.1, which Kubernetes' tools read, takes for something else than a text.
const NO_TEXTS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// What is to be scaled, and how KEDA is to learn of demand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The routing group's name.
    group: String,
    /// The workers, as deployment/NAME or statefulset/NAME.
    #[arg(long)]
    target: String,
    /// The Kubernetes namespace of the workers.
    #[arg(long)]
    namespace: String,
    /// How KEDA learns of demand.
    #[arg(long, value_enum, default_value_t = Trigger::Push)]
    trigger: Trigger,
    /// Host of the gateway as KEDA sees it, of a headless Service for push [default: sluice-scaler or sluice in the
    /// namespace of the workers]
    #[arg(long)]
    gateway: Option<String>,
    /// Where Prometheus answers, for that trigger.
    #[arg(long, default_value = "http://prometheus:9090")]
    prometheus: String,
    /// The configuration of the gateway.
    #[arg(long, default_value = "sluice.yaml", env = "SLUICE_CONFIG")]
    config: PathBuf,
}

/// The three ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Trigger {
    /// The gateway tells KEDA, within milliseconds.
    Push,
    /// KEDA asks the gateway's page of demand.
    MetricsApi,
    /// KEDA asks Prometheus.
    Prometheus,
}

/// Writes it to `out`, or to `err` what is wrong; says whether it was written.
pub fn command(args: &Args, out: &mut impl Write, err: &mut impl Write) -> io::Result<bool> {
    match written(args) {
        Ok(text) => out.write_all(text.as_bytes()).map(|()| true),
        Err(words) => writeln!(err, "{words}").map(|()| false),
    }
}

fn written(args: &Args) -> Result<String, String> {
    let loaded = config::load(&args.config).map_err(|problems| problems.to_string())?;
    scaled_object(args, &loaded.config)
}

fn scaled_object(args: &Args, config: &Config) -> Result<String, String> {
    let group = group(&args.group, config, &args.config)?;
    let (kind, name) = target(&args.target)?;
    let namespace = kubernetes("--namespace", &args.namespace)?;
    if namespace.contains('.') {
        return Err(format!("--namespace: `{namespace}` is no name of a namespace"));
    }
    if let Some(host) = args.gateway.as_ref().filter(|host| host.contains([':', '/'])) {
        return Err(format!(
            "--gateway: `{host}` is no host; the port comes from the configuration"
        ));
    }
    let (polling, trigger) = match args.trigger {
        Trigger::Push => (5, push(args, config, group)?),
        Trigger::MetricsApi => (5, metrics_api(args, config, group)),
        Trigger::Prometheus => (30, prometheus(args, group)),
    };
    let mut text = format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
         scaleTargetRef:\n    kind: {kind}\n    name: {name}\n  pollingInterval: {polling}\n  cooldownPeriod: 300\n  \
         minReplicaCount: 0\n  maxReplicaCount: 20\n  triggers:\n{trigger}"
    );
    if let (Trigger::Push, Some(tls)) = (args.trigger, &config.scaler.tls) {
        text.push_str(&authentication(tls, &namespace));
    }
    Ok(text)
}

fn group<'a>(name: &str, config: &'a Config, file: &Path) -> Result<&'a RoutingGroup, String> {
    config.routing_groups.iter().find(|group| group.name == name).ok_or_else(|| {
        let hint = hint(name, config.routing_groups.iter().map(|group| group.name.as_str()));
        format!("no routing group `{name}` in {}{hint}", file.display())
    })
}

fn target(said: &str) -> Result<(&'static str, String), String> {
    let wrong = || format!("--target: `{said}` is neither deployment/NAME nor statefulset/NAME");
    let (kind, name) = said.split_once('/').ok_or_else(wrong)?;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "deployment" => "Deployment",
        "statefulset" => "StatefulSet",
        _ => return Err(wrong()),
    };
    Ok((kind, kubernetes("--target", name)?))
}

/// A name as Kubernetes takes it (RFC 1123), ready for YAML.
fn kubernetes(option: &str, name: &str) -> Result<String, String> {
    let fits = name.len() <= LONGEST && name.split('.').all(is_label);
    if !fits {
        return Err(format!("{option}: `{name}` is no name of Kubernetes"));
    }
    // Digits, and digits with an `e` among them, are numbers.
    let is_text =
        !NO_TEXTS.contains(&name) && !name.starts_with(|first: char| first.is_ascii_digit());
    Ok(if is_text { name.to_owned() } else { format!("'{name}'") })
}

fn is_label(part: &str) -> bool {
    let ends = |end: Option<u8>| end.is_some_and(|byte| byte.is_ascii_alphanumeric());
    ends(part.bytes().next())
        && ends(part.bytes().next_back())
        && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The gateway's host as it was said, else that of a Service beside the workers.
fn host(args: &Args, service: &str) -> String {
    args.gateway.clone().unwrap_or_else(|| format!("{service}.{}.svc", args.namespace))
}

fn push(args: &Args, config: &Config, group: &RoutingGroup) -> Result<String, String> {
    if !config.scaler.enabled {
        let file = args.config.display();
        return Err(format!("{file}: scaler.enabled is not true, so KEDA would find nobody"));
    }
    let address = format!("{}:{}", host(args, "sluice-scaler"), config.scaler.bind.port());
    let target = USUAL_TARGET.to_string();
    let mut metadata = vec![
        ("scalerAddress", address.as_str()),
        ("routingGroup", &group.name),
        ("targetInFlightPerWorker", &target),
    ];
    let mut text = String::new();
    if config.scaler.tls.is_some() {
        metadata.push(("enableTLS", "true"));
        text.push_str("      authenticationRef:\n        name: sluice-scaler\n");
    }
    Ok(trigger("external-push", &metadata) + &text)
}

fn metrics_api(args: &Args, config: &Config, group: &RoutingGroup) -> String {
    let (host, port) = (host(args, "sluice"), config.health.bind.port());
    let url = format!("http://{host}:{port}/api/v1/routing-groups/{}/demand", group.name);
    let target = USUAL_TARGET.to_string();
    let metadata = [("url", url.as_str()), ("valueLocation", "demand"), ("targetValue", &target)];
    trigger("metrics-api", &metadata)
}

fn prometheus(args: &Args, group: &RoutingGroup) -> String {
    let target = USUAL_TARGET.to_string();
    let metadata = [
        ("serverAddress", args.prometheus.as_str()),
        ("query", &query(group)),
        ("threshold", &target),
        ("activationThreshold", "0"),
        // The default reads a lost series as 0 and scales in under load.
        ("ignoreNullValues", "false"),
    ];
    trigger("prometheus", &metadata)
}

/// XTrinode's, word for word, in both forms; a group without its labels is asked for by name.
fn query(group: &RoutingGroup) -> String {
    let labels = labels(group);
    let (name, namespace) = (prometheus_text(labels.xtrinode), prometheus_text(labels.namespace));
    let gauge = "xtrinode_gateway_inflight_queries";
    if labels.xtrinode.is_empty() {
        return format!("sum({gauge}{{routing_group=\"{}\"}})", group.name);
    }
    let form = |label: &str| format!("sum({gauge}{{{label}=\"{namespace}\",xtrinode=\"{name}\"}})");
    format!("{} or {}", form("exported_namespace"), form("namespace"))
}

fn prometheus_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn trigger(kind: &str, metadata: &[(&str, &str)]) -> String {
    let mut text = format!("    - type: {kind}\n      metadata:\n");
    for (key, value) in metadata {
        // A quote is doubled within single quotes, and nothing else means anything there.
        let _ = writeln!(text, "        {key}: '{}'", value.replace('\'', "''"));
    }
    text
}

/// Where KEDA finds what TLS needs: a Secret that somebody else makes.
fn authentication(tls: &ScalerTls, namespace: &str) -> String {
    let mut text = format!(
        "---\napiVersion: keda.sh/v1alpha1\nkind: TriggerAuthentication\nmetadata:\n  name: sluice-scaler\n  \
         namespace: {namespace}\nspec:\n  secretTargetRef:\n"
    );
    let own = [("tlsClientCert", "tls.crt"), ("tlsClientKey", "tls.key")];
    let own = own.iter().filter(|_| tls.client_ca.is_some());
    for (parameter, key) in [("caCert", "ca.crt")].iter().chain(own) {
        let _ = writeln!(
            text,
            "    - parameter: {parameter}\n      name: sluice-scaler-tls\n      key: {key}"
        );
    }
    text
}

#[cfg(test)]
mod tests;
