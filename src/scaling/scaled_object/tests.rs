//! What is printed for which configuration.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const GROUPS: &str = "\
scaler: { enabled: true }
routingGroups:
  - { name: team-a--analytics, backends: [{ name: a, url: 'http://a' }] }
  - { name: etl, backends: [{ name: b, url: 'http://b' }] }
defaultRoutingGroup: etl
";

fn printed(config: &str, words: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.yaml");
    std::fs::write(&file, config).unwrap();
    let line = ["keda", "--config", file.to_str().unwrap()].into_iter().chain(words.split(' '));
    let args = Line::parse_from(line).args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let is_good = command(&args, &mut out, &mut err).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if is_good { Ok(text(out)) } else { Err(text(err)) }
}

#[test]
fn what_yaml_reads_as_something_else_is_quoted() {
    let text = printed(GROUPS, "etl --target deployment/1e5 --namespace no").unwrap();
    assert!(text.contains("  name: '1e5'\n  namespace: 'no'\n"), "{text}");
}

/// The examples are the command's own words below a comment.
#[test]
fn the_examples_are_what_the_command_prints() {
    let usual = "team-a--analytics --target deployment/trino-analytics-worker --namespace team-a";
    for (more, example) in [
        (
            "--gateway sluice-scaler.gateways.svc",
            include_str!("../../../deploy/keda/external-push.yaml"),
        ),
        (
            "--trigger metrics-api --gateway sluice.gateways.svc",
            include_str!("../../../deploy/keda/metrics-api.yaml"),
        ),
        ("--trigger prometheus", include_str!("../../../deploy/keda/prometheus.yaml")),
    ] {
        let printed = printed(GROUPS, &format!("{usual} {more}")).unwrap();
        let told: Vec<&str> = example.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(told.join("\n") + "\n", printed, "{more}");
    }
}

#[test]
fn a_group_without_xtrinodes_labels_is_asked_for_by_name() {
    let text = printed(GROUPS, "etl --target statefulset/w --namespace ns --trigger prometheus");
    let text = text.unwrap();
    assert!(text.contains("kind: StatefulSet\n    name: w\n"), "{text}");
    let query = "query: 'sum(xtrinode_gateway_inflight_queries{routing_group=\"etl\"})'\n";
    assert!(text.contains(query), "{text}");
}

#[test]
fn ports_and_tls_are_those_of_the_gateway() {
    let (folder, made) = (
        tempfile::tempdir().unwrap(),
        rcgen::generate_simple_self_signed(["sluice-scaler".to_owned()]).unwrap(),
    );
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (pem, key) = (file("c", made.cert.pem()), file("k", made.signing_key.serialize_pem()));
    let tls = format!("tls: {{ certificate: \"{pem}\", key: \"{key}\", clientCa: \"{pem}\" }}");
    let scaler = format!("scaler: {{ enabled: true, bind: \"0.0.0.0:7000\", {tls} }}");
    let config = GROUPS.replace("scaler: { enabled: true }", &scaler);
    let text = printed(&config, "etl --target deployment/w --namespace ns").unwrap();
    for line in [
        "        scalerAddress: 'sluice-scaler.ns.svc:7000'\n",
        "        enableTLS: 'true'\n",
        "      authenticationRef:\n        name: sluice-scaler\n---\n",
        "kind: TriggerAuthentication\n",
        "    - parameter: caCert\n",
        "    - parameter: tlsClientKey\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn what_cannot_work_is_said_in_words() {
    let target = "--target deployment/w --namespace ns";
    for (config, words, told) in [
        (GROUPS, format!("elt {target}"), "no routing group `elt` in"),
        (GROUPS, format!("elt {target}"), "did you mean `etl`?"),
        (GROUPS, "etl --target pod/w --namespace n".to_owned(), "neither deployment/NAME nor"),
        (GROUPS, "etl --target deployment/W --namespace n".to_owned(), "`W` is no name"),
        (GROUPS, "etl --target deployment/w --namespace n:x".to_owned(), "`n:x` is no name"),
        (GROUPS, "etl --target deployment/w- --namespace n".to_owned(), "`w-` is no name"),
        (GROUPS, "etl --target deployment/w --namespace n.x".to_owned(), "`n.x` is no name"),
        (GROUPS, format!("etl {target} --gateway h:1"), "`h:1` is no host"),
        (&GROUPS.replace("true", "false"), format!("etl {target}"), "scaler.enabled is not true"),
        ("rules: 5\n", format!("etl {target}"), "rules"),
    ] {
        let said = printed(config, &words).unwrap_err();
        assert!(said.contains(told), "{words}: {said}");
    }
}
