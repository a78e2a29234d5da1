//! How a backend is woken and put to sleep: exactly one driver, with the deadlines of its use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::Span;

/// The driver of one backend; exactly one of its kinds is given.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resume {
    /// For one call.
    pub call_timeout: Span,
    /// From the first call to a coordinator that takes statements.
    pub deadline: Span,
    /// The scale subresource of a Deployment or StatefulSet.
    pub kubernetes_scale: Option<KubernetesScale>,
    /// XTrinode's API server.
    pub xtrinode_api: Option<XtrinodeApi>,
    /// XTrinode's resource itself.
    pub xtrinode: Option<Named>,
    /// Stackable's TrinoCluster.
    pub stackable: Option<Named>,
    /// A custom resource of any kind.
    pub custom_resource: Option<CustomResource>,
    /// HTTP calls.
    pub webhook: Option<Webhook>,
    /// Programs of this machine.
    pub command: Option<Command>,
    /// No call: something else (KEDA) wakes it, Sluice waits.
    pub external: Option<External>,
}

impl Default for Resume {
    fn default() -> Self {
        Self {
            call_timeout: Span::secs(5),
            // A pod with a new node takes up to ten minutes (peers.md 2.5, Pinterest).
            deadline: Span::secs(600),
            kubernetes_scale: None,
            xtrinode_api: None,
            xtrinode: None,
            stackable: None,
            custom_resource: None,
            webhook: None,
            command: None,
            external: None,
        }
    }
}

impl Resume {
    /// The keys of the drivers that are given; a right configuration gives one.
    pub fn drivers(&self) -> Vec<&'static str> {
        let given = [
            ("kubernetesScale", self.kubernetes_scale.is_some()),
            ("xtrinodeApi", self.xtrinode_api.is_some()),
            ("xtrinode", self.xtrinode.is_some()),
            ("stackable", self.stackable.is_some()),
            ("customResource", self.custom_resource.is_some()),
            ("webhook", self.webhook.is_some()),
            ("command", self.command.is_some()),
            ("external", self.external.is_some()),
        ];
        given.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }
}

/// A Deployment or StatefulSet; one of the two is given.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesScale {
    /// Its namespace.
    pub namespace: String,
    /// The name of a Deployment.
    #[serde(default)]
    pub deployment: Option<String>,
    /// The name of a StatefulSet.
    #[serde(default)]
    pub stateful_set: Option<String>,
    /// Replicas when awake; unset: 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    pub replicas: Option<u32>,
}

/// XTrinode's API server.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct XtrinodeApi {
    /// Its base; unset: the service of a usual installation. `/api/v1` is added where it has no path.
    #[serde(default)]
    pub url: Option<String>,
    /// A file with the bearer token, read anew for each call.
    #[serde(default)]
    pub token_file: Option<String>,
    /// The runtime's namespace; unset: the group's label.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The runtime's name; unset: the group's label.
    #[serde(default)]
    pub name: Option<String>,
}

/// A resource of a known kind.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Named {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A custom resource of any kind, changed by merge patches.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomResource {
    /// Its API group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// The plural of its kind, in small letters.
    pub resource: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The merge patch that wakes; a number in it is a least one, a greater one is left.
    #[schemars(with = "AnyMap")]
    pub resume_patch: serde_json::Value,
    /// The merge patch that suspends; unset: it is never suspended.
    #[serde(default)]
    #[schemars(with = "Option<AnyMap>")]
    pub suspend_patch: Option<serde_json::Value>,
}

/// HTTP calls.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// Where a resume is posted.
    pub resume_url: String,
    /// Where a suspend is posted; unset: it is never suspended.
    #[serde(default)]
    pub suspend_url: Option<String>,
    /// A file with the bearer token, read anew for each call.
    #[serde(default)]
    pub token_file: Option<String>,
    /// A file with the secret that signs each body (HMAC-SHA256).
    #[serde(default)]
    pub secret_file: Option<String>,
}

/// Programs with their arguments; no shell.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// What wakes.
    pub resume: Vec<String>,
    /// What suspends; unset: it is never suspended.
    #[serde(default)]
    pub suspend: Option<Vec<String>>,
}

/// No settings.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct External {}

/// Who reads Trino's own counts before a suspend.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stats {
    /// The user.
    pub user: String,
    /// A file with the password; unset: a login by name only.
    #[serde(default)]
    pub password_file: Option<String>,
}

/// How clients of a backend are asked who they are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Challenge {
    /// Learned from its answers.
    #[default]
    Auto,
    /// By browser: anonymous statements wake it too, since clients cannot name themselves before the challenge.
    Oauth2,
}

/// A mapping of any keys; what it means is its reader's business.
struct AnyMap;

impl JsonSchema for AnyMap {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnyMap".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "format": "any" })
    }
}
