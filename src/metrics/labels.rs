//! The closed lists of label values. Nothing that a client sends ever becomes a label.

use sluice_routing::StatementKind;

/// A closed list: every value is known, so every series can be made before it is first counted.
pub(super) trait Label: Copy + 'static {
    /// All values, in the order of their index.
    fn all() -> &'static [Self];

    /// The place in `all`.
    fn index(self) -> usize;
}

macro_rules! closed {
    ($($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $value:ident = $text:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$note])* #[doc = concat!("`", $text, "`.")] $value,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The text of the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl Label for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

closed! {
    /// Why a client got a 503.
    Unavailable {
        NoBackend = "no_backend",
        ResumeDisabled = "resume_disabled",
        HeldDown = "held_down",
        Resuming = "resuming",
        ResumeFailed = "resume_failed",
        ResumeTimeout = "resume_timeout",
        QueueFull = "queue_full",
        QueueTimeout = "queue_timeout",
        CircuitOpen = "circuit_open",
        Draining = "draining",
        Stopping = "stopping",
        Upstream503 = "upstream_503",
    }

    /// How a query ended.
    QueryStatus {
        Ok = "ok",
        Error = "error",
        Canceled = "canceled",
        Abandoned = "abandoned",
        Rejected = "rejected",
    }

    /// A step in the life of a query.
    QueryEvent {
        Submitted = "submitted",
        Routed = "routed",
        Resumed = "resumed",
        Running = "running",
        Completed = "completed",
    }

    /// Trino's classes of query errors.
    QueryError {
        User = "USER_ERROR",
        Internal = "INTERNAL_ERROR",
        External = "EXTERNAL",
        InsufficientResources = "INSUFFICIENT_RESOURCES",
        Unknown = "unknown",
    }

    /// Which way the bytes of a result went.
    Direction {
        /// From a coordinator.
        In = "in",
        /// To a client.
        Out = "out",
    }

    /// How rows are written, as `X-Trino-Query-Data-Encoding` says; plain pages are `json`.
    Encoding {
        Json = "json",
        JsonZstd = "json+zstd",
        JsonLz4 = "json+lz4",
        /// Spooled segments too, whose addresses do not tell.
        Other = "other",
    }

    /// Why a query's record went before its time.
    Evicted {
        /// The client stopped polling.
        Ttl = "ttl",
        /// The table was full.
        Capacity = "capacity",
    }

    /// What a request on the data port was for.
    Operation {
        StatementSubmit = "statement_submit",
        StatementQueued = "statement_queued",
        StatementExecuting = "statement_executing",
        StatementResults = "statement_results",
        StatementGatewayQueued = "statement_gateway_queued",
        StatementCancel = "statement_cancel",
        StatementHead = "statement_head",
        QueryInfo = "query_info",
        QueryKill = "query_kill",
        Info = "info",
        InfoState = "info_state",
        Node = "node",
        Spooled = "spooled",
        Oauth2 = "oauth2",
        Ui = "ui",
        Other = "other",
    }

    /// HTTP methods; whatever else a client invents is `other`.
    Method {
        Get = "GET",
        Post = "POST",
        Delete = "DELETE",
        Head = "HEAD",
        Put = "PUT",
        Options = "OPTIONS",
        Other = "other",
    }

    /// Why a request on the data port went wrong.
    ErrorKind {
        BadRequest = "bad_request",
        Auth = "auth",
        NoRoute = "no_route",
        Capacity = "capacity",
        UpstreamConnect = "upstream_connect",
        UpstreamTimeout = "upstream_timeout",
        UpstreamBody = "upstream_body",
        ClientGone = "client_gone",
        Store = "store",
        Internal = "internal",
    }

    /// Why a statement found no way.
    RoutingError {
        NoMatch = "no_match",
        NoBackend = "no_backend",
        RuleError = "rule_error",
    }

    /// A step of a request within the gateway.
    Step {
        Auth = "auth",
        /// The statement's kind, user and transaction are read.
        Classify = "classify",
        /// Rules and groups are asked.
        Rules = "rules",
        /// A backend is chosen and its place taken.
        Select = "select",
        /// The statement waits for its turn.
        ResumeWait = "resume_wait",
        /// A connection to a coordinator is opened.
        UpstreamConnect = "upstream_connect",
        /// The URIs of one page are changed.
        Rewrite = "rewrite",
        /// The audit record is handed over.
        Audit = "audit",
    }

    /// How the owner of a query id was found.
    Lookup {
        Hit = "hit",
        Miss = "miss",
        Stale = "stale",
        Fallback = "fallback",
    }

    /// How one attempt at a backend failed.
    UpstreamError {
        Refused = "refused",
        Timeout = "timeout",
        Reset = "reset",
        Dns = "dns",
        Tls = "tls",
        Protocol = "protocol",
        Body = "body",
    }

    /// Why a request was sent to a backend again.
    Retry {
        Connect = "connect",
        Timeout = "timeout",
        Status = "status",
    }

    /// How a health probe ended.
    Probe {
        Success = "success",
        Failure = "failure",
        Timeout = "timeout",
    }

    /// Where a circuit went; the order is that of the gauge's values.
    Circuit {
        Closed = "closed",
        HalfOpen = "half_open",
        Open = "open",
    }

    /// The states that `gateway_backends` counts.
    BackendState {
        Healthy = "healthy",
        Unhealthy = "unhealthy",
        Sleeping = "sleeping",
        Resuming = "resuming",
        Draining = "draining",
        Inactive = "inactive",
    }

    /// How a resume ended.
    ResumeOutcome {
        Success = "success",
        Failure = "failure",
        Timeout = "timeout",
        Rejected = "rejected",
    }

    /// What wakes a backend.
    Provider {
        KubernetesScale = "kubernetes_scale",
        XtrinodeApi = "xtrinode_api",
        Xtrinode = "xtrinode",
        Stackable = "stackable",
        CustomResource = "custom_resource",
        Webhook = "webhook",
        Command = "command",
        External = "external",
    }

    /// How one call of a provider ended.
    ProviderOutcome {
        Success = "success",
        Failure = "failure",
        Timeout = "timeout",
    }

    /// Where a cold start spends its time.
    ColdStartPhase {
        /// From the first statement to the call.
        Detect = "detect",
        /// The call itself.
        Call = "call",
        /// From the accepted call to a coordinator that says `starting: false`.
        Coordinator = "coordinator",
        /// From there to enough workers.
        Workers = "workers",
        /// From readiness to the first answer to a held statement.
        FirstByte = "first_byte",
    }

    /// What was asked of the shared store.
    StoreOperation {
        Read = "read",
        Write = "write",
        Delete = "delete",
    }

    /// How that ended.
    StoreStatus {
        Ok = "ok",
        Error = "error",
    }

    /// Why KEDA was told something.
    Push {
        /// Demand began or ended.
        Edge = "edge",
        /// Nothing changed.
        Repeat = "repeat",
    }

    /// Which workers of a group.
    Workers {
        Current = "current",
        Desired = "desired",
    }

    /// How a reload of the configuration ended.
    Reload {
        Success = "success",
        Error = "error",
    }

    /// What an operator asked for.
    AdminOperation {
        Reload = "reload",
        Drain = "drain",
        Activate = "activate",
        Deactivate = "deactivate",
        LogLevel = "log_level",
        Resume = "resume",
        Suspend = "suspend",
    }

    /// What became of it.
    AdminStatus {
        Success = "success",
        Failure = "failure",
        Rejected = "rejected",
    }

    /// What happened, as the list of events calls it.
    EventName {
        ConfigReloaded = "ConfigReloaded",
        ConfigRejected = "ConfigRejected",
        BackendStateChanged = "BackendStateChanged",
        CircuitOpened = "CircuitOpened",
        ResumeTriggered = "ResumeTriggered",
        ResumeSucceeded = "ResumeSucceeded",
        ResumeFailed = "ResumeFailed",
        /// Trino's own counts cannot be read, so that an idle backend is not put to sleep.
        SuspendBlocked = "SuspendBlocked",
        Draining = "Draining",
    }

    /// Whether an operator should look.
    EventType {
        Normal = "Normal",
        Warning = "Warning",
    }

    /// What became of an audit record.
    AuditStatus {
        Written = "written",
        Failed = "failed",
    }

    /// Why an audit record was lost.
    AuditDropped {
        QueueFull = "queue_full",
        WriteError = "write_error",
    }

    /// Why a span was lost.
    SpanDropped {
        QueueFull = "queue_full",
        ExportError = "export_error",
    }
}

impl Label for StatementKind {
    fn all() -> &'static [Self] {
        &Self::ALL
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl QueryError {
    /// The class of that name; `unknown` for any other word.
    pub fn parse(word: &str) -> Self {
        Self::ALL.iter().copied().find(|class| class.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl Encoding {
    /// The encoding of that name; an answer that names none is plain.
    pub fn parse(word: Option<&[u8]>) -> Self {
        let Some(word) = word else { return Self::Json };
        let known = Self::ALL.iter().copied().find(|each| each.as_str().as_bytes() == word);
        known.unwrap_or(Self::Other)
    }
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
        match *method {
            http::Method::GET => Self::Get,
            http::Method::POST => Self::Post,
            http::Method::DELETE => Self::Delete,
            http::Method::HEAD => Self::Head,
            http::Method::PUT => Self::Put,
            http::Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

impl Operation {
    /// The method it usually comes by, whose series is there before the first request.
    pub(super) const fn usual_method(self) -> Method {
        match self {
            Self::StatementSubmit => Method::Post,
            Self::StatementCancel | Self::QueryKill => Method::Delete,
            Self::StatementHead => Method::Head,
            _ => Method::Get,
        }
    }
}
